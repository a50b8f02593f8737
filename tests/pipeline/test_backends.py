"""A backend is one entry of its kind's BACKENDS: settings, flow, doctor and the check before a run find it there."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pipeline import flow
from pipeline.audit.doctor import findings
from pipeline.config import load
from pipeline.perception import shots
from pipeline.perception.shots.detector import Boundaries, ShotDetector
from pipeline.stages.s040_shots import FindShots


@dataclass(frozen=True, slots=True)
class Whole(ShotDetector):
    """Each source is one shot."""

    file: Path | None = None

    name: ClassVar[str] = "whole"
    version: ClassVar[str] = "1"
    weights: ClassVar[str | None] = "ab" * 32

    def missing(self) -> str | None:
        return None if self.file else "no file is set"

    def boundaries(self, fps: Fraction) -> Boundaries:
        return Nothing()


class Nothing:
    """Finds no boundary."""

    def add(self, picture: np.ndarray, /) -> None: ...

    def finish(self) -> tuple[list[int], list[tuple[int, int]]]:
        return [], []


def test_a_shot_detector_of_ones_own_is_chosen_checked_and_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(shots.BACKENDS, "whole", Whole)
    run = load(None, ("shots.backend=whole", "out=whole"))
    stage = next(each for each in flow.build(run).on_survey if isinstance(each, FindShots))
    assert stage.detector == Whole()
    assert flow.lacking(run) == ["shots.backend: whole cannot run: no file is set"]
    found = {(each.part, each.name): each for each in findings(run)}
    assert found["shots", "whole (chosen)"].state == "missing"
    assert found["filter", "frozen_picture"].state == "unproven"
