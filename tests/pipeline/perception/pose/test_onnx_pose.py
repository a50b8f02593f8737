"""Tests of the ONNX pose backend with a small model of random weights in the SimCC layout."""

import pickle
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.record import Box
from pipeline.perception.people import Figure, PersonDetector, SpeakerBoxes
from pipeline.perception.pose import PoseBackend, PoseTracker
from pipeline.perception.pose.onnx import (
    MEAN,
    STD,
    OnnxPose,
    OnnxTracker,
    crop,
    crop_window,
    decode,
    input_size,
    to_picture,
)
from pipeline.perception.sessions import WeightsError, session

torch = pytest.importorskip("torch")
pytest.importorskip("onnx", reason="writing the small model needs the package onnx")

SIZE = (48, 64)


class _SimCC(torch.nn.Module):
    """Pools the picture and maps it to two vectors per joint, as RTMPose's head does at its end."""

    def __init__(self, joints: int, size: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.features = torch.nn.Conv2d(3, joints, 7, stride=stride, padding=3)
        cells = (size[0] // stride) * (size[1] // stride)
        self.along_x = torch.nn.Linear(cells, size[0] * 2)
        self.along_y = torch.nn.Linear(cells, size[1] * 2)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = torch.relu(self.features(images)).flatten(2)
        return self.along_x(found), self.along_y(found)


def export(
    path: Path,
    joints: int = 133,
    *,
    batch: int | None = None,
    size: tuple[int, int] = SIZE,
    stride: int = 4,
) -> _SimCC:
    """A file of free batch size, as mmdeploy writes it, or of a fixed one."""
    torch.manual_seed(5)
    model = _SimCC(joints, size, stride).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs no more
        torch.onnx.export(
            model,
            (torch.zeros(batch or 2, 3, size[1], size[0]),),
            str(path),
            input_names=["input"],
            output_names=["simcc_x", "simcc_y"],
            dynamic_axes=None
            if batch
            else {name: {0: "batch"} for name in ("input", "simcc_x", "simcc_y")},
            dynamo=False,
            opset_version=17,
        )
    return model


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, _SimCC]:
    path = tmp_path_factory.mktemp("pose") / "small.onnx"
    return path, export(path)


def picture(height: int = 90, width: int = 130) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), dtype=np.uint8)


BOXES = (
    (0.0, 0.0, 130.0, 90.0),  # the whole picture
    (31.0, 17.0, 41.0, 53.0),  # odd sides
    (12.25, 3.75, 60.5, 31.125),  # between pixels
    (-40.0, -25.0, 100.0, 80.0),  # over the left upper corner
    (90.0, 50.0, 133.0, 97.0),  # over the right lower corner
    (200.0, 150.0, 50.0, 60.0),  # beside the picture
    (60.0, 2.0, 3.0, 85.0),  # a sliver
    (64.0, 45.0, 1.0, 1.0),  # a pixel
)
ids = [f"{x:g},{y:g},{w:g},{h:g}" for x, y, w, h in BOXES]


def independently(model: _SimCC, image: np.ndarray, box: Box) -> np.ndarray:
    """mmpose's recipe by the corners of the window instead of by its middle, and in torch instead of ONNX."""
    half = np.array(box[2:]) * 1.25 / 2.0
    if half[0] * SIZE[1] > half[1] * SIZE[0]:
        half[1] = half[0] * SIZE[1] / SIZE[0]
    else:
        half[0] = half[1] * SIZE[0] / SIZE[1]
    middle = np.array(box[:2]) + np.array(box[2:]) / 2.0
    corners = np.array([middle - half, middle + half * (1, -1), middle - half * (1, -1)])
    matrix = cv2.getAffineTransform(
        corners.astype(np.float32), np.array([(0, 0), (SIZE[0], 0), (0, SIZE[1])], dtype=np.float32)
    )
    cropped = cv2.warpAffine(image, matrix, SIZE, flags=cv2.INTER_LINEAR)
    blob = torch.from_numpy(((cropped - MEAN) / STD).astype(np.float32)).permute(2, 0, 1)[None]
    with torch.no_grad():
        along_x, along_y = (vectors[0].numpy() for vectors in model(blob))
    place = np.stack([along_x.argmax(1), along_y.argmax(1)], axis=1) / 2.0
    points = place / np.array(SIZE) * (2.0 * half) + middle - half
    score = np.minimum(along_x.max(1), along_y.max(1))
    return np.where(score[:, None] > 0, np.concatenate([points, score[:, None]], axis=1), 0.0)


@pytest.mark.parametrize("box", BOXES[:5], ids=ids[:5])
def test_a_model_gives_what_an_independent_computation_gives(
    small: tuple[Path, _SimCC], box: Box
) -> None:
    path, model = small
    image = picture()
    (found,) = OnnxTracker(session(path)).inside([image], [box])
    assert found.shape == (133, 3)
    assert found.dtype == np.float32
    assert np.abs(found - independently(model, image, box)).max() < 0.01


@pytest.mark.parametrize("box", BOXES, ids=ids)
def test_it_agrees_with_rtmlib_on_the_same_file_and_box(
    small: tuple[Path, _SimCC], box: Box
) -> None:
    rtmlib = pytest.importorskip("rtmlib")
    path, _ = small
    image = picture()
    corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    points, scores = rtmlib.RTMPose(str(path), SIZE, backend="onnxruntime")(image, [corners])
    (found,) = OnnxTracker(session(path), score="mean").inside([image], [box])
    sure = scores[0] > 0
    assert sure.sum() > 50
    assert np.abs(found[sure, :2] - points[0][sure]).max() < 0.01
    assert np.abs(found[sure, 2] - scores[0][sure]).max() < 1e-3


@pytest.mark.parametrize("size", [(192, 256), (288, 384)], ids=["192x256", "288x384"])
def test_it_agrees_with_rtmlib_at_the_sizes_of_rtmpose_dwpose_and_rtmw(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rtmlib = pytest.importorskip("rtmlib")
    path = tmp_path / "large.onnx"
    export(path, size=size, stride=16)
    image = picture(361, 641)
    boxes = [(100.5, 30.25, 210.0, 331.5), (-40.0, 100.0, 300.0, 400.0), (0.0, 0.0, 641.0, 361.0)]
    corners = [[x, y, x + w, y + h] for x, y, w, h in boxes]
    points, scores = rtmlib.RTMPose(str(path), size, backend="onnxruntime")(image, corners)
    found = OnnxTracker(session(path), score="mean").inside([image] * 3, boxes)
    sure = scores > 0
    assert sure.sum() > 150
    assert np.abs(found[sure, :2] - points[sure]).max() < 0.01
    assert np.abs(found[sure, 2] - scores[sure]).max() < 1e-3


@settings(max_examples=200, deadline=None)
@given(
    corner=st.tuples(st.floats(-300.0, 400.0), st.floats(-300.0, 400.0)),
    side=st.tuples(st.floats(1.0, 700.0), st.floats(1.0, 700.0)),
    size=st.sampled_from([(192, 256), (288, 384), (48, 64)]),
)
def test_a_crop_is_to_the_last_grey_level_that_of_the_reference(
    corner: tuple[float, float], side: tuple[float, float], size: tuple[int, int]
) -> None:
    pre = pytest.importorskip("rtmlib.tools.pose_estimation.pre_processings")
    image = picture(181, 321)
    far = np.array([*corner, corner[0] + side[0], corner[1] + side[1]])
    middle, extent = pre.bbox_xyxy2cs(far, padding=1.25)
    wanted, _ = pre.top_down_affine(size, extent, middle, image)
    assert np.array_equal(crop(image, crop_window((*corner, *side), size), size), wanted)


def test_the_two_confidences_are_the_smaller_and_the_mean_of_the_reference() -> None:
    post = pytest.importorskip("rtmlib.tools.pose_estimation.post_processings")
    rng = np.random.default_rng(8)
    along_x, along_y = (rng.normal(0.0, 0.5, (1, 133, n)).astype(np.float32) for n in (384, 512))
    along_x[0, ::7] = -0.1  # not found
    places, scores = post.get_simcc_maximum(along_x.copy(), along_y.copy())
    found = decode(along_x[0], along_y[0], score="mean")
    seen = scores[0] > 0
    assert seen.sum() > 100
    assert np.array_equal(found[seen, :2], places[0][seen] / 2.0)
    assert np.allclose(found[seen, 2], scores[0][seen])
    smaller = np.minimum(along_x[0].max(1), along_y[0].max(1))
    assert np.allclose(decode(along_x[0], along_y[0])[:, 2], np.maximum(smaller, 0.0))


# ---- several at once ----


@pytest.mark.parametrize("batch", [1, 3, 8, 100])
def test_people_and_pictures_at_once_are_as_one_by_one(
    small: tuple[Path, _SimCC], batch: int
) -> None:
    images = [picture(90 + 7 * k, 130 + 11 * k) for k in range(3) for _ in BOXES]
    boxes = [box for _ in range(3) for box in BOXES]
    alone = OnnxTracker(session(small[0]), batch=1)
    single = np.stack([alone.inside([i], [b])[0] for i, b in zip(images, boxes, strict=True)])
    together = OnnxTracker(session(small[0]), batch=batch).inside(images, boxes)
    assert together.shape == (24, 133, 3)
    assert np.abs(together - single).max() < 1e-4


def test_an_export_of_fixed_batch_size_is_filled_up(
    small: tuple[Path, _SimCC], tmp_path: Path
) -> None:
    export(tmp_path / "four.onnx", batch=4)
    boxes = list(BOXES[:6])
    images = [picture()] * len(boxes)
    fixed = OnnxTracker(session(tmp_path / "four.onnx")).inside(images, boxes)
    free = OnnxTracker(session(small[0])).inside(images, boxes)
    assert np.abs(fixed - free).max() < 1e-4


def test_no_pictures_are_no_poses(small: tuple[Path, _SimCC]) -> None:
    assert OnnxTracker(session(small[0])).many([], []).shape == (0, 133, 3)


def test_the_speakers_box_is_cropped_and_held_where_nobody_is_found(
    small: tuple[Path, _SimCC],
) -> None:
    mine, other = (20.0, 10.0, 40.0, 70.0), (80.0, 8.0, 40.0, 75.0)
    face = (32.0, 14.0, 12.0, 12.0)
    seen = iter([[Figure(other, 0.9), Figure(mine, 0.6)], [Figure(other, 0.9)], []])
    tracker = OnnxTracker(session(small[0]), boxes=SpeakerBoxes(lambda _: next(seen)))
    found = tracker.many([picture()] * 3, [face] * 3)
    wanted = OnnxTracker(session(small[0])).inside([picture()], [mine])
    assert all(np.array_equal(pose, wanted[0]) for pose in found)


# ---- the backend ----


def test_a_box_is_looked_at_as_if_the_rest_were_not_there(small: tuple[Path, _SimCC]) -> None:
    image = picture(200, 300)
    tracker = OnnxTracker(session(small[0]))
    part, whole = tracker.inside([image] * 2, [(100.0, 40.0, 60.0, 80.0), (0.0, 0.0, 300.0, 200.0)])
    assert np.array_equal(whole, tracker(image))
    assert not np.array_equal(part, whole)
    seen = part[:, 2] > 0
    assert (np.abs(part[seen, :2] - (130.0, 80.0)) <= 51.0).all()


def test_a_backend_is_small_and_names_what_it_runs(small: tuple[Path, _SimCC]) -> None:
    path, _ = small
    backend = OnnxPose(path)
    assert isinstance(backend, PoseBackend)
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert backend.missing() is None
    assert backend.weights is not None
    assert len(backend.weights) == 64
    with OnnxPose(path, sha256=backend.weights).track() as track:
        assert isinstance(track, PoseTracker)


def test_other_weights_than_those_asked_for_are_refused(small: tuple[Path, _SimCC]) -> None:
    path, _ = small
    with pytest.raises(WeightsError, match="wanted 0000"), OnnxPose(path, sha256="0" * 64).track():
        pass


def test_a_model_of_17_joints_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "body.onnx"
    export(path, joints=17)
    with OnnxPose(path).track() as track, pytest.raises(WeightsError, match="133 joints, got 17"):
        track(picture())


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    backend = OnnxPose(tmp_path / "none.onnx")
    assert backend.weights is None
    assert "no weights at" in (backend.missing() or "")


def test_the_person_detectors_file_counts_into_the_hash(
    small: tuple[Path, _SimCC], tmp_path: Path
) -> None:
    path, _ = small
    people = tmp_path / "people.onnx"
    hashes = [OnnxPose(path).weights, OnnxPose(path, PersonDetector(people)).weights]
    for content in (b"one network", b"another network"):
        people.write_bytes(content)
        hashes.append(OnnxPose(path, PersonDetector(people)).weights)
    assert hashes[1] is None
    assert len(set(hashes)) == 4


@pytest.mark.gpu
def test_a_gpu_gives_what_the_processor_gives(small: tuple[Path, _SimCC]) -> None:
    if (missing := OnnxPose(small[0], device="cuda").missing()) is not None:
        pytest.skip(missing)
    images, boxes = [picture()] * len(BOXES), list(BOXES)
    there = OnnxTracker(session(small[0], device="cuda")).inside(images, boxes)
    here = OnnxTracker(session(small[0])).inside(images, boxes)
    assert np.median(np.abs(there - here)) < 1e-3


def test_without_cuda_the_device_is_missing(small: tuple[Path, _SimCC]) -> None:
    import onnxruntime

    missing = OnnxPose(small[0], device="cuda").missing()
    has = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert missing is None if has else "onnxruntime-gpu" in (missing or "")


def test_the_window_of_a_square_box_by_hand() -> None:
    assert crop_window((10.0, 20.0, 96.0, 96.0), (192, 256)) == (58.0, 68.0, 120.0, 160.0)


def test_maxima_become_places_by_hand() -> None:
    along_x = np.zeros((2, 8), dtype=np.float32)
    along_y = np.zeros((2, 6), dtype=np.float32)
    along_x[0, 5], along_y[0, 2] = 0.8, 0.6
    found = decode(along_x, along_y)
    assert np.allclose(found[0], (2.5, 1.0, 0.6))
    assert not found[1].any()
    assert np.isclose(decode(along_x, along_y, score="mean")[0, 2], 0.7)


@given(
    box=st.tuples(*(st.floats(-50.0, 500.0), st.floats(-50.0, 500.0))),
    side=st.tuples(*(st.floats(2.0, 900.0), st.floats(2.0, 900.0))),
)
def test_the_middle_of_the_input_is_the_middle_of_the_box(
    box: tuple[float, float], side: tuple[float, float]
) -> None:
    window = crop_window((*box, *side), (192, 256))
    assert window[2] >= side[0] * 1.25 - 1e-6
    assert window[3] >= side[1] * 1.25 - 1e-6
    found = to_picture(np.array([[96.0, 128.0, 1.0]]), window, (192, 256))
    middle = (box[0] + side[0] / 2.0, box[1] + side[1] / 2.0)
    assert np.allclose(found[0, :2], middle, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 3, "height", "width"), (1, 3, 256), ("batch", 3, None, 192)])
def test_an_input_without_a_fixed_size_is_refused(shape: tuple[int | str | None, ...]) -> None:
    with pytest.raises(WeightsError, match="fixed"):
        input_size(shape)


def test_the_input_size_is_read_from_the_model() -> None:
    assert input_size(("batch", 3, 384, 288)) == (288, 384)
