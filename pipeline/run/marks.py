"""Marks of steps that are under way, so that a step which kills its process is not tried for ever.

A step that starts leaves a mark, and removes it when it ends in any way that Python notices. Marks that stay are
deaths: a crash of native code, a kill, a step over its time. They count within one run only, so that a run which is
killed and repeated a hundred times counts against nobody.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

KINDS = ("running", "stacks")
"""The folders: marks of steps under way, and what steps that were killed for their time had been doing."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of all runs of one work folder."""

    root: Path

    def begin(self, run_id: str, name: str) -> int:
        """Leave a mark; returns how many tries of this step died before, in this run."""
        folder = self._folder(run_id, name)
        folder.mkdir(parents=True, exist_ok=True)
        deaths = len(list(folder.iterdir()))
        (folder / f"{deaths}-{os.getpid()}").touch()
        return deaths

    def end(self, run_id: str, name: str) -> None:
        """Take the marks away: the step came back."""
        shutil.rmtree(self._folder(run_id, name), ignore_errors=True)

    def stack(self, run_id: str, name: str) -> Path:
        """Where a step that is killed for its time leaves what it was doing."""
        folder = self.root / "stacks" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{short(name)}.txt"

    def ended_at(self, run_id: str, name: str) -> str:
        """What a step that was killed for its time had been doing; nothing where none was."""
        try:
            return (self.root / "stacks" / run_id / f"{short(name)}.txt").read_text()
        except OSError:
            return ""

    def forget(self, run_id: str) -> None:
        """Take all marks of a run away."""
        for kind in KINDS:
            shutil.rmtree(self.root / kind / run_id, ignore_errors=True)

    def clear(self) -> None:
        """Take the marks of all runs away; for the start of a run, when no other is under way."""
        for kind in KINDS:
            shutil.rmtree(self.root / kind, ignore_errors=True)

    def _folder(self, run_id: str, name: str) -> Path:
        return self.root / "running" / run_id / short(name)


def short(name: str) -> str:
    """A step's name, which may hold any sign, as the name of a file."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
