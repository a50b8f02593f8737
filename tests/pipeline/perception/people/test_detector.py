"""Tests of the person detectors: the recipe on tables and against rtmlib, the small real networks on real frames."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from manifests.geometry import iou
from manifests.record import Box
from pipeline.perception.people import Figure, PersonDetector
from pipeline.perception.people.detector import (
    GREY,
    STRIDES,
    FigureFinder,
    as_input,
    decode_grids,
    figures,
    kind_of,
    letterbox,
    square_side,
    surest,
)
from pipeline.perception.sessions import WeightsError
from pipeline.weights import known

SHARED = Path(
    os.environ.get("COSPEECH_SHARED", Path(__file__).resolve().parents[4] / ".." / "shared")
)
VIDEO, WEIGHTS = SHARED / "media" / "video", SHARED / "weights"
NAMES = ("rtmdet-person", "yolox-nano")
needs_weights = pytest.mark.skipif(
    not all((WEIGHTS / known(name).file).is_file() for name in NAMES),
    reason=f"no person detectors under {WEIGHTS}",
)
needs_clips = pytest.mark.skipif(not VIDEO.is_dir(), reason=f"no real clips under {VIDEO}")


def detector(name: str) -> PersonDetector:
    return PersonDetector(WEIGHTS / known(name).file, sha256=known(name).sha256)


def frame(name: str, index: int = 3) -> np.ndarray:
    with av.open(str(VIDEO / name)) as container:
        for i, picture in enumerate(container.decode(video=0)):
            if i == index:
                return picture.to_ndarray(format="rgb24")
    raise AssertionError(f"{name} has no frame {index}")


def corners(found: list[Figure]) -> np.ndarray:
    return np.array([(x, y, x + w, y + h) for x, y, w, h in (each.box for each in found)])


# ---- the recipe ----


def test_a_wide_picture_lies_in_the_upper_part_of_the_square() -> None:
    square, scale = letterbox(np.full((50, 200, 3), 7, dtype=np.uint8), 100)
    assert scale == 0.5
    assert (square[:25] == 7).all()
    assert (square[25:] == GREY).all()


def test_blue_comes_first_and_only_rtmdet_is_normalised() -> None:
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 200
    assert as_input(red, "yolox")[0, :, 0, 0].tolist() == [0.0, 0.0, 200.0]
    blue, green, first = as_input(red, "rtmdet")[0, :, 0, 0].tolist()
    assert (blue, green, first) == pytest.approx(
        (-103.53 / 57.375, -116.28 / 57.12, (200 - 123.675) / 58.395), abs=1e-4
    )


def test_a_cell_of_each_grid_by_hand() -> None:
    side = 64
    rows = np.zeros((64 + 16 + 4, 85), dtype=np.float32)
    rows[0, :6] = (0.5, 0.5, np.log(2.0), 0.0, 0.5, 0.8)  # first cell of the finest grid
    rows[64 + 5, :6] = (0.0, 0.0, 0.0, 0.0, 1.0, 0.4)  # second row, second cell, of the middle one
    found, scores = decode_grids(rows, side)
    assert found[0] == pytest.approx((-4.0, 0.0, 12.0, 8.0))
    assert found[69] == pytest.approx((8.0, 8.0, 24.0, 24.0))
    assert scores[[0, 69]] == pytest.approx((0.4, 0.4))


def test_a_table_of_another_square_is_refused() -> None:
    with pytest.raises(WeightsError, match="84 rows for a square of 64 pixels, got 3549"):
        decode_grids(np.zeros((3549, 85), dtype=np.float32), 64)


@pytest.mark.parametrize("seed", range(5))
def test_the_grids_agree_with_rtmlib(seed: int) -> None:
    yolox = pytest.importorskip("rtmlib.tools.object_detection.yolox").YOLOX
    rng, side = np.random.default_rng(seed), 96
    rows = rng.normal(0.0, 1.0, (sum((side // s) ** 2 for s in STRIDES), 85)).astype(np.float32)
    rows[:, 4:] = rng.uniform(0.0, 1.0, rows[:, 4:].shape)
    rows[:, 6:] = 0.0  # people only
    reference = object.__new__(yolox)  # without a file
    reference.model_input_size, reference.score_thr = (side, side), 0.3
    reference.nms_thr, reference.det_mode = 0.45, "human"
    wanted = reference.postprocess(rows[None].copy(), 0.5)
    found, scores = decode_grids(rows, side)
    sure = scores > 0.3
    apart = np.abs(wanted[:, None] - (found[sure] / 0.5)[None]).max(axis=2)
    assert len(wanted) > 10
    assert apart.min(axis=1).max() < 0.01


def test_of_two_boxes_of_one_person_the_surer_stays() -> None:
    boxes = np.array([(0, 0, 10, 20), (1, 1, 11, 21), (40, 0, 50, 20)], dtype=np.float32)
    scores = np.array([0.6, 0.9, 0.5], dtype=np.float32)
    assert surest(boxes, scores, overlap=0.45) == [1, 2]
    assert surest(boxes[:0], scores[:0], overlap=0.45) == []


def test_boxes_are_cut_at_the_edges_and_empty_ones_go() -> None:
    rows = np.array([(-5.0, -5.0, 20.0, 30.0), (120.0, 0.0, 140.0, 50.0)])
    (found,) = figures(rows, np.array([0.9, 0.8]), (100, 25))
    assert found == Figure((0.0, 0.0, 20.0, 25.0), 0.9)


def test_what_the_outputs_are_called_says_which_network_it_is() -> None:
    assert kind_of(["dets", "labels"]) == "rtmdet"
    assert kind_of(["output"]) == "yolox"
    with pytest.raises(WeightsError, match="got"):
        kind_of(["boxes", "scores"])


def test_the_side_is_the_files_own_where_it_is_fixed() -> None:
    assert square_side((1, 3, 416, 416), otherwise=320) == 416
    assert square_side(("batch", 3, "height", "width"), otherwise=320) == 320
    with pytest.raises(WeightsError, match="640x384"):
        square_side((1, 3, 384, 640), otherwise=320)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert "pose.detector" in (PersonDetector().missing() or "")
    absent = PersonDetector(tmp_path / "none.onnx")
    assert absent.weights is None
    assert "csg-data weights fetch" in (absent.missing() or "")
    assert pickle.loads(pickle.dumps(absent)) == absent


# ---- a network of many classes ----


class Session:
    """Stands for ONNX Runtime with an RTMDet file that always finds the same."""

    def __init__(self, dets: list[tuple[float, ...]], labels: list[int] | None) -> None:
        self.tables = {"dets": np.array([dets], dtype=np.float32)}
        if labels is not None:
            self.tables["labels"] = np.array([labels], dtype=np.int64)

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input", shape=("batch", 3, 100, 100))]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.tables]

    def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return list(self.tables.values())


COUCH, SITTER = (5.0, 40.0, 95.0, 90.0, 0.9), (30.0, 10.0, 60.0, 80.0, 0.6)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([57, 0], [0.6]), ([0, 0], [0.9, 0.6]), ([57, 57], []), (None, [0.9, 0.6])],
    ids=["a couch and a person", "people", "couches", "a file without classes"],
)
def test_only_what_the_network_calls_a_person_is_a_figure(
    labels: list[int] | None, scores: list[float]
) -> None:
    session = Session([COUCH, SITTER], labels)
    finder = FigureFinder(PersonDetector(), session)  # pyright: ignore[reportArgumentType]
    found = finder(np.zeros((100, 100, 3), dtype=np.uint8))
    assert [each.score for each in found] == pytest.approx(scores)


# ---- the real networks ----


@needs_weights
@pytest.mark.parametrize("name", NAMES)
def test_the_pinned_file_loads_and_sees_nobody_in_noise(name: str) -> None:
    made = detector(name)
    assert made.missing() is None
    assert made.weights == known(name).sha256
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    assert made.load()(noise) == []


@needs_weights
def test_another_file_than_the_pinned_one_is_refused() -> None:
    with pytest.raises(WeightsError, match="wanted 0000"):
        PersonDetector(WEIGHTS / known(NAMES[0]).file, sha256="0" * 64).load()


@needs_weights
@needs_clips
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("clip", "boxes"),
    [
        ("tango_1wrQ6Msp7wM.mp4", [(140.0, 154.0, 505.0, 506.0)]),
        ("panda_R_YVZHusX4w.mp4", [(182.0, 29.0, 185.0, 327.0), (361.0, 38.0, 153.0, 318.0)]),
    ],
)
def test_people_are_where_they_are_seen(name: str, clip: str, boxes: list[Box]) -> None:
    found = sorted(detector(name).load()(frame(clip)), key=lambda each: each.box)
    assert len(found) == len(boxes)
    assert min(iou(each.box, box) for each, box in zip(found, boxes, strict=True)) > 0.8  # by eye


def people_of(reference: Callable[..., tuple]) -> Callable[[np.ndarray], np.ndarray]:
    """rtmlib's "human" mode gives the boxes of every class of a network that knows eighty."""

    def find(bgr: np.ndarray) -> np.ndarray:
        boxes, classes = reference(bgr)
        return boxes[classes == 0]

    return find


@needs_weights
@needs_clips
@pytest.mark.parametrize("name", NAMES)
def test_the_boxes_are_those_of_rtmlib(name: str) -> None:
    rtmlib = pytest.importorskip("rtmlib")
    file, picture = WEIGHTS / known(name).file, frame("panda_R_YVZHusX4w.mp4")
    if name == "yolox-nano":
        reference = people_of(rtmlib.YOLOX(str(file), (416, 416), "multiclass", score_thr=0.3))
    else:
        reference = rtmlib.RTMDet(str(file), (320, 320), score_thr=0.3)
    wanted = np.array(sorted(reference(np.ascontiguousarray(picture[..., ::-1])).tolist()))
    found = np.array(sorted(corners(detector(name).load()(picture)).tolist()))
    inside = np.clip(wanted, 0.0, [picture.shape[1], picture.shape[0]] * 2)
    assert found.shape == inside.shape
    assert np.abs(found - inside).max() < 0.01
