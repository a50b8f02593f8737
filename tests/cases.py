"""A small finished dataset of five real videos, measured by cheap stages in real worker processes, to be broken."""

import io
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.config import Run, load
from pipeline.run.build import build
from pipeline.run.commit import root_of
from tests.faults import cheap
from tests.faults.made import LIST, SHARE


@dataclass(frozen=True)
class Case:
    """A folder with a list of videos, a finished dataset and its work folder."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "set"

    @property
    def work(self) -> Path:
        return self.folder / "set.work"

    @property
    def share(self) -> Path:
        return self.folder / SHARE

    @property
    def listed(self) -> Path:
        return self.folder / LIST

    @property
    def root(self) -> str | None:
        return root_of(self.out)

    def settings(self, *given: str, sources: Path | None = None) -> Run:
        places = (
            f"sources={sources or self.listed}",
            f"out={self.out}",
            "workers=1",
            "dashboard=-1",
        )
        return load(None, (*places, *given)).resolved()

    def build(self, *given: str, sources: Path | None = None) -> tuple[int, str]:
        """Exit code and what was printed."""
        run = self.settings(*given, sources=sources)
        console = Console(record=True, width=400, file=io.StringIO())
        code = build(run, console, flow=cheap.flow(run))
        return code, console.export_text()
