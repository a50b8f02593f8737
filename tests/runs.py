"""A run of the flow in this process, and what it left: for tests of whole runs on the built-in sample."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from pipeline.config import Run, load
from pipeline.run.build import build

SETTINGS = Path(__file__).resolve().parents[1] / "manifests" / "sources" / "sample.yaml"


@dataclass(frozen=True)
class Built:
    """A finished run: its folder, settings, exit code and what it said."""

    folder: Path
    run: Run
    code: int
    text: str

    @property
    def facts(self) -> dict:
        return json.loads((self.run.out / "dataset.json").read_text())

    @property
    def timing(self) -> dict:
        return json.loads((self.run.out / "run.json").read_text())

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.run.out / f"{name}.parquet")


def run_build(run: Run) -> tuple[int, str]:
    """Exit code and output."""
    console = Console(record=True, width=120, file=io.StringIO())
    code = build(run, console)
    return code, console.export_text()


def build_sample(sample: Path, folder: Path) -> Built:
    """The sample that lies in one folder, built in another by two workers, with the settings of `make dataset`."""
    given = (f"out={folder}/set", f"sources={sample}/sources.csv", "workers=2", "dashboard=0")
    run = load(SETTINGS, given)
    code, text = run_build(run)
    return Built(folder, run, code, text)
