"""Pose backends run over the same frames of clips: which, what is said, and what is left out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from manifests import keypoints as kp
from manifests.errors import UserError
from pipeline.__main__ import app
from pipeline.perception import pose
from tests.pipeline.perception.pose.test_onnx_pose import export


@dataclass(frozen=True)
class Fixed:
    """A backend, and its tracker, that see a person of fixed joints moved by `x` pixels."""

    x: float = 0.0
    lacks: str | None = None
    name: str = "one"

    version: ClassVar[str] = "1"
    weights: ClassVar[str | None] = None
    valid_from: ClassVar[float] = 0.5
    batch: ClassVar[int] = 3

    def missing(self) -> str | None:
        return self.lacks

    def track(self) -> "Fixed":
        return self

    def __enter__(self) -> "Fixed":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, image: np.ndarray, face: object = None) -> np.ndarray:
        return self.many([image], [face])[0]

    def many(self, images: list, faces: list) -> np.ndarray:
        found = np.full((len(images), 133, 3), 0.9, np.float32)
        found[..., :2] = (60.0 + self.x, 40.0)
        found[:, kp.LEFT_SHOULDER, 0] += 20.0
        return found


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of one small clip of 12 frames, and a file that is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    writer = cv2.VideoWriter(
        str(folder / "grey.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (128, 96)
    )
    for number in range(12):
        writer.write(np.full((96, 128, 3), 80 + number, np.uint8))
    writer.release()
    (folder / "none.mp4").write_bytes(b"no video")
    return folder


def two(monkeypatch: pytest.MonkeyPatch, *, lacks: str | None = None) -> None:
    made = {"one": Fixed(), "two": Fixed(2.0, lacks, "two")}
    for name in ("onnx", "mmpose", "mediapipe"):
        monkeypatch.delitem(pose.BACKENDS, name)
    for name, backend in made.items():
        monkeypatch.setitem(pose.BACKENDS, name, lambda *_, backend=backend: backend)


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare-pose", *map(str, arguments)])
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_two_backends_are_compared_frame_by_frame_and_a_broken_file_is_left_out(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(monkeypatch)
    file = tmp_path / "out.json"
    code, said = run(clips, "--frames", "10", "--json", file)
    assert code == 0
    assert "10 frames of 1 clips" in said and "one – two" in said and "none.mp4" in said
    facts = json.loads(file.read_text())
    assert (facts["frames"], facts["clips"]) == (10, ["grey.mp4"])
    assert facts["backends"]["two"]["coverage"]["left_hand"] == 1.0
    rows = {row["group"]: row for row in facts["pairs"]}
    assert set(rows) == set(kp.GROUPS)
    assert rows["face"]["joints"] == 10 * 68
    assert rows["face"]["median"] == rows["face"]["p95"] == pytest.approx(0.1)
    (only,) = rows["face"]["by_confidence"]["two"]
    assert only["joints"] == 10 * 68 and only["median"] == pytest.approx(0.1)


def test_one_backend_alone_says_how_to_get_another(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(monkeypatch, lacks="fetch it")
    code, said = run(clips)
    assert code == 0
    assert "compared with nothing" in said and "two: fetch it" in said and " – " not in said


def test_nothing_that_can_be_used_is_one_sentence(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(monkeypatch)
    with pytest.raises(UserError, match=r"no clip of .* can be used"):
        run(clips / "none.mp4")


def test_further_models_of_onnx_are_named_by_their_files(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason="writing the small model needs the package onnx")
    two(monkeypatch, lacks="fetch it")
    export(tmp_path / "small.onnx")
    file = tmp_path / "out.json"
    code, said = run(clips, "--onnx", tmp_path / "small.onnx", "--json", file)
    assert code == 0 and "one – small" in said
    facts = json.loads(file.read_text())
    assert len(facts["backends"]["small"]["weights"]) == 64
    assert {tuple(row["pair"]) for row in facts["pairs"]} == {("one", "small")}
    with pytest.raises(UserError, match=r"none\.onnx cannot run: no weights"):
        run(clips, "--onnx", tmp_path / "none.onnx")


def test_a_real_person_is_found_by_mediapipe_and_compared_with_itself(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by a second tracker of the same kind, nothing is any distance away."""
    again = pose.BACKENDS["mediapipe"]

    class Again(again):  # type: ignore[misc, valid-type]
        name = "again"

    monkeypatch.setitem(pose.BACKENDS, "again", Again)
    file = tmp_path / "out.json"
    clip = shared / "media" / "video" / "tango_oliver_silent_101099.mp4"
    assert run(clip, "--frames", "10", "--json", file)[0] == 0
    facts = json.loads(file.read_text())
    assert facts["backends"]["mediapipe"]["coverage"]["face"] > 0.9
    body = next(row for row in facts["pairs"] if row["group"] == "body")
    assert body["joints"] > 50 and body["median"] == body["p95"] == 0.0
