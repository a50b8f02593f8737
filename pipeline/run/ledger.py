"""The ledger: what was measured, under a key that holds everything the result depends on; and what was tried and died.

A key is a hash of the input's content, the stage with its parameters and version, and the backend with its weights and
libraries. It never holds a path, a time or a threshold, so a moved file or a new threshold measures nothing again.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from manifests.files import write_whole
from manifests.record import Why
from pipeline.verdict import Refusal


@dataclass(frozen=True, slots=True)
class Entry:
    """What one stage said: a section, or the reason why there can be none."""

    section: dict[str, object] | None
    refusal: tuple[Why, str] | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Results by key, one small JSON file each; written whole or not at all."""

    root: Path

    def path(self, key: str) -> Path:
        return self.root / "ledger" / key[:2] / f"{key}.json"

    def get(self, key: str) -> Entry | None:
        try:
            held = json.loads(self.path(key).read_text())
        except FileNotFoundError:
            return None
        refusal = held["refusal"]
        return Entry(held["section"], (Why(refusal[0]), refusal[1]) if refusal else None)

    def put(self, key: str, *, section: BaseModel | None, refusal: Refusal | None) -> None:
        held = {
            "section": section.model_dump(mode="json") if section is not None else None,
            "refusal": [refusal.why, refusal.detail] if refusal else None,
        }
        write_whole(self.path(key), json.dumps(held, sort_keys=True) + "\n")

    # A step that starts leaves a mark, and takes it away when it ends in any way that Python sees. Marks that stay are
    # deaths: a crash of native code, a kill, a step over its time. They count within one run only, so that a run which
    # is killed and repeated a hundred times blames nobody.

    def begin(self, run_id: str, name: str) -> int:
        """Leave a mark; returns how many tries of this step died before, in this run."""
        folder = self._marks(run_id, name)
        folder.mkdir(parents=True, exist_ok=True)
        deaths = len(list(folder.iterdir()))
        (folder / f"{deaths}-{os.getpid()}").touch()
        return deaths

    def end(self, run_id: str, name: str) -> None:
        """Take the marks away: the step came back."""
        shutil.rmtree(self._marks(run_id, name), ignore_errors=True)

    def stack(self, run_id: str, name: str) -> Path:
        """Where a step that is killed for its time leaves what it was doing."""
        folder = self.root / "stacks" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.txt"

    def forget(self, run_id: str) -> None:
        """Take all marks of a run away."""
        for kind in ("running", "stacks"):
            shutil.rmtree(self.root / kind / run_id, ignore_errors=True)

    def _marks(self, run_id: str, name: str) -> Path:
        return self.root / "running" / run_id / hashlib.sha256(name.encode()).hexdigest()[:32]
