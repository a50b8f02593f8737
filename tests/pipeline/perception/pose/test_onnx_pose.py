"""Tests of the ONNX pose backend with a small model of random weights in the SimCC layout."""

import pickle
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.pose import PoseBackend, PoseTracker
from pipeline.perception.pose.onnx import (
    MEAN,
    STD,
    OnnxPose,
    WeightsError,
    crop_window,
    decode,
    input_size,
    to_picture,
)

torch = pytest.importorskip("torch")
pytest.importorskip("onnx", reason="writing the small model needs the package onnx")

SIZE = (48, 64)


class _SimCC(torch.nn.Module):
    """Pools the picture and maps it to two vectors per joint, as RTMPose's head does at its end."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.features = torch.nn.Conv2d(3, joints, 7, stride=4, padding=3)
        cells = (SIZE[0] // 4) * (SIZE[1] // 4)
        self.along_x = torch.nn.Linear(cells, SIZE[0] * 2)
        self.along_y = torch.nn.Linear(cells, SIZE[1] * 2)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = torch.relu(self.features(images)).flatten(2)
        return self.along_x(found), self.along_y(found)


def export(path: Path, joints: int = 133) -> _SimCC:
    torch.manual_seed(5)
    model = _SimCC(joints).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs no more
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, SIZE[1], SIZE[0]),),
            str(path),
            input_names=["input"],
            output_names=["simcc_x", "simcc_y"],
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


def independently(model: _SimCC, image: np.ndarray) -> np.ndarray:
    """The same recipe by corner points instead of by a scale, and in torch instead of ONNX."""
    height, width = image.shape[:2]
    half = np.array([width, height]) * 1.25 / 2.0
    if half[0] * SIZE[1] > half[1] * SIZE[0]:
        half[1] = half[0] * SIZE[1] / SIZE[0]
    else:
        half[0] = half[1] * SIZE[0] / SIZE[1]
    middle = np.array([width, height]) / 2.0
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


@pytest.mark.parametrize("shape", [(90, 130), (130, 60), (64, 48)])
def test_a_model_gives_what_an_independent_computation_gives(
    small: tuple[Path, _SimCC], shape: tuple[int, int]
) -> None:
    path, model = small
    image = picture(*shape)
    with OnnxPose(path).track() as track:
        found = track(image)
    assert found.shape == (133, 3)
    assert found.dtype == np.float32
    assert np.abs(found - independently(model, image)).max() < 0.01


def test_it_agrees_with_rtmlib_on_the_same_file(small: tuple[Path, _SimCC]) -> None:
    rtmlib = pytest.importorskip("rtmlib")
    path, _ = small
    image = picture()
    points, scores = rtmlib.RTMPose(str(path), SIZE, backend="onnxruntime")(image)
    with OnnxPose(path, score="mean").track() as track:
        found = track(image)
    sure = scores[0] > 0
    assert sure.sum() > 50
    assert np.abs(found[sure, :2] - points[0][sure]).max() < 0.01
    assert np.abs(found[sure, 2] - scores[0][sure]).max() < 1e-3


def test_a_box_is_looked_at_as_if_the_rest_were_not_there(small: tuple[Path, _SimCC]) -> None:
    path, _ = small
    image = picture(200, 300)
    with OnnxPose(path).track() as track:
        part = track(image, box=(100.0, 40.0, 60.0, 80.0))
        whole = track(image)
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
    with pytest.raises(WeightsError, match="wanted 0000"), OnnxPose(path, "0" * 64).track():
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
