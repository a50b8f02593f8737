"""What is edited into pictures is in them, and nothing else is."""

import numpy as np
import pytest

from pipeline.validation import faults
from pipeline.validation.faults import RGB


def ramp(count: int = 25) -> list[RGB]:
    """Pictures that are each as bright as their number, with a dark left edge."""
    made = [np.full((48, 64, 3), 100 + n, np.uint8) for n in range(count)]
    for picture in made:
        picture[:, :8] = 0
    return made


def test_mirrored_twice_is_as_before() -> None:
    once = faults.mirrored(ramp())
    assert (once[0][:, -8:] == 0).all() and (once[0][:, :8] == 100).all()
    assert np.array_equal(faults.mirrored(once), ramp())


@pytest.mark.parametrize(("rate", "new"), [(5.0, 5), (12.5, 13), (25.0, 25)])
def test_held_pictures_are_new_as_often_as_was_asked(rate: float, new: int) -> None:
    made = faults.repeated(ramp(25), rate)
    assert len(made) == 25 and len({int(picture[0, -1, 0]) for picture in made}) == new


def test_a_frozen_picture_differs_from_itself_by_grain_alone() -> None:
    still = faults.frozen(ramp()[0], frames=4, grain=4.0, seed=0)
    inner = np.stack(still)[:, :, 8:].astype(float)
    assert inner.std(axis=0).mean() == pytest.approx(4.0, rel=0.35)
    assert np.abs(inner.mean() - 100.0) < 0.5
    assert np.array_equal(
        faults.frozen(ramp()[0], frames=2, grain=0.0, seed=0), [ramp()[0], ramp()[0]]
    )


def test_a_covered_face_shows_the_lower_edge_and_the_rest_stays() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[80:] = 200
    (made,) = faults.covered([picture], [(40.0, 20.0, 10.0, 10.0)], grow=1.0)
    assert (made[20:30, 40:50] == 200).all()
    made[20:30, 40:50] = 0
    assert np.array_equal(made, picture)


def test_a_small_figure_stands_on_the_lower_edge_with_the_face_that_was_asked() -> None:
    picture = np.full((200, 100, 3), 255, np.uint8)
    backdrop = np.zeros((108, 192, 3), np.uint8)
    (made,) = faults.pasted_small([picture], backdrop, face=40.0, fraction=0.05, at=0.5)
    rows, columns = np.nonzero(made[..., 0])
    shrink = 0.05 * 540 / 40.0
    assert made.shape == (540, 960, 3) and rows.max() == 539
    assert np.ptp(rows) + 1 == pytest.approx(200 * shrink, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(100 * shrink, abs=1)
    assert faults.pasted_small([picture], backdrop, face=4.0, fraction=0.5, at=0.5) == []


def test_pictures_are_cut_off_above_the_elbows_unless_these_are_at_the_chin() -> None:
    pictures, face = [np.zeros((600, 400, 3), np.uint8)], (150.0, 100.0, 100.0, 100.0)
    elbows = np.array([[[100.0, 400.0, 1.0], [300.0, 420.0, 0.2]]])
    made = faults.above_elbows(pictures, face, elbows, valid_from=0.5)
    assert made is not None
    assert made[0].shape[0] / made[0].shape[1] == pytest.approx(395 / 400, abs=0.01)
    raised = elbows - (0.0, 200.0, 0.0)
    assert faults.above_elbows(pictures, face, raised, valid_from=0.5) is None
    assert faults.above_elbows(pictures, face, elbows, valid_from=1.5) is None


def test_pieces_overlap_as_they_are_asked_to_and_a_short_stretch_is_one() -> None:
    firsts = [int(piece[0][0, -1, 0]) for piece in faults.pieces(ramp(10), 4, 3)]
    assert firsts == [100, 103, 106]
    assert [len(piece) for piece in faults.pieces(ramp(3), 4, 3)] == [3]
