"""The framing stage: the square of each clip is around its own person, and its affine leads there."""

from pathlib import Path

import numpy as np
import pytest

from manifests.geometry import apply
from manifests.record import Framing
from pipeline.stage import need
from pipeline.stages.s100_framing import FrameSpeaker
from tests.pipeline.spanned import of_video, posed


def framed(folder: Path, low: tuple[float, float], high: tuple[float, float]) -> Framing:
    """The framing of somebody whose joints fill a box of a picture of 320 x 240; the face is its upper middle."""
    some, frames = of_video(folder, start=0, frames=8, region=(0.0, 0.0, 320.0, 240.0))
    pose = np.zeros((8, 133, 3), np.float32)
    pose[:, :11, :2] = np.linspace(low, high, 11)
    pose[:, :11, 2] = 0.9
    face = ((low[0] + high[0]) / 2.0 - 8.0, low[1] + 16.0, 16.0, 20.0)
    some = some.model_copy(update={"person": some.person.model_copy(update={"face": face})})
    placed = FrameSpeaker(size=128, margin=0.1)(posed(some, frames.store, pose), frames)
    return need(placed.framing, "framing")


def test_the_square_holds_the_body_and_the_affine_leads_to_its_corners(tmp_path: Path) -> None:
    bodies = [((20.0, 60.0), (100.0, 140.0)), ((180.0, 40.0), (300.0, 160.0))]
    for low, high in bodies:
        framing = framed(tmp_path, low, high)
        x, y, width, height = framing.box
        side = high[0] - low[0]
        assert width == height and side < width < 1.4 * side
        assert x < low[0] and y < low[1] and x + width > high[0] and y + width > high[1]
        assert framing.enlarged == pytest.approx(128.0 / width) and framing.size == (128, 128)
        corners = np.array([(x, y), (x + width, y + height)], np.float32) - 0.5
        moved = apply(framing.affine, corners)
        assert moved == pytest.approx(np.array([(-0.5, -0.5), (127.5, 127.5)]), abs=1e-3)
        assert framing.outside == 0.0


def test_of_a_body_as_wide_as_the_picture_some_lies_outside(tmp_path: Path) -> None:
    framing = framed(tmp_path, (2.0, 2.0), (318.0, 238.0))
    assert framing.box[2] >= 316.0
    assert framing.outside == pytest.approx(1.0 - 240.0 / framing.box[2], abs=0.02)
