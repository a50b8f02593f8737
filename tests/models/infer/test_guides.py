"""Folders for the generators: what lies in them, how many frames at which time; they come whole or not at all."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from manifests import keypoints as kp
from models.infer.canvas import DIALECTS
from models.infer.guides import GUIDES, resample, write_guides
from models.infer.openpose import fit, to_openpose

FRAMES = 10  # 0.4 s: 9 frames at 24 FPS, 12 at 30, 6 at 15


def pose(frames: int = FRAMES) -> np.ndarray:
    random = np.random.default_rng(0)
    points = random.uniform(60, 450, (kp.JOINTS, 2)) + np.arange(frames)[:, None, None]
    return np.concatenate([points, np.full((frames, kp.JOINTS, 1), 0.9)], axis=-1).astype(
        np.float32
    )


def reference() -> np.ndarray:
    picture = np.zeros((256, 256, 3), dtype=np.uint8)
    picture[:] = (200, 100, 50)
    return picture


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    file = tmp_path / "speech.wav"
    soundfile.write(file, np.zeros(FRAMES * 640, dtype=np.int16), 16_000)
    return file


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def rgb(file: Path) -> np.ndarray:
    picture = cv2.imread(str(file))
    assert picture is not None
    return picture[..., ::-1]


def write(folder: Path, *names: str, sound: Path | None = None) -> Path:
    return write_guides(folder, pose(), reference=reference(), sound=sound, dialects=names)


# ---- time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "fps", "wanted"),
    [(25, 24, 24), (25, 30, 30), (250, 24, 240), (250, 15, 150), (10, 24, 9), (1, 15, 1)],
)
def test_a_second_keeps_its_length_at_another_rate(frames: int, fps: int, wanted: int) -> None:
    assert len(resample(pose(frames), fps)) == wanted


@pytest.mark.parametrize("fps", [15, 24, 25, 30])
def test_steady_motion_stays_steady(fps: int) -> None:
    walk = pose(50)
    path = resample(walk, fps)[:, kp.NOSE, 0] - walk[0, kp.NOSE, 0]
    times = np.minimum(np.arange(len(path)) * 25.0 / fps, 49.0)  # in frames of 25 FPS
    assert path == pytest.approx(times, abs=1e-3)


def test_frames_that_fall_on_frames_are_those_frames() -> None:
    walk = pose(26)
    assert np.array_equal(resample(walk, 25), walk)
    assert np.array_equal(resample(walk, 24)[0], walk[0])
    assert np.array_equal(resample(walk, 30)[6], walk[5])
    assert np.array_equal(resample(walk, 15)[3], walk[5])


def test_a_joint_that_comes_and_goes_is_taken_from_the_nearer_frame() -> None:
    walk = pose(3)
    walk[1, kp.NOSE] = 0.0
    made = resample(walk, 100)[:, kp.NOSE, :]  # four frames for one
    assert np.array_equal(made[:3], np.repeat(walk[:1, kp.NOSE], 3, axis=0))
    assert not made[3:7].any()
    assert np.array_equal(made[7], walk[2, kp.NOSE])


@given(frames=st.integers(1, 40), fps=st.sampled_from([8, 15, 24, 25, 30, 60]))
def test_nothing_goes_beyond_where_joints_were(frames: int, fps: int) -> None:
    walk = pose(frames)
    made = resample(walk, fps)
    assert (made.min(axis=0) >= walk.min(axis=0) - 1e-3).all()
    assert (made.max(axis=0) <= walk.max(axis=0) + 1e-3).all()


# ---- folders -----------------------------------------------------------------------------------------------


def test_stableanimator_gets_numbered_poses_and_a_reference(tmp_path: Path) -> None:
    place = write(tmp_path, "stableanimator") / "stableanimator"
    names = {"README.txt", "reference.png", *(f"poses/frame_{i}.png" for i in range(FRAMES))}
    assert set(files(place)) == names
    drawn = rgb(place / "poses" / "frame_3.png")
    assert np.array_equal(drawn, DIALECTS["stableanimator"](pose()[3], (512, 512)))
    assert rgb(place / "reference.png").shape == (512, 512, 3)
    assert rgb(place / "reference.png")[256, 256].tolist() == [200, 100, 50]


def test_mimicmotion_gets_poses_at_15_fps_with_the_reference_placed_alike(tmp_path: Path) -> None:
    place = write(tmp_path, "mimicmotion") / "mimicmotion"
    names = {"README.txt", "reference.png", "reference_pose.png"}
    assert set(files(place)) == names | {f"poses/{i:04d}.png" for i in range(6)}
    assert np.array_equal(rgb(place / "reference_pose.png"), rgb(place / "poses" / "0000.png"))
    shown = rgb(place / "reference.png")
    assert shown.shape == rgb(place / "poses" / "0005.png").shape == (1024, 576, 3)
    assert not shown[:224].any() and not shown[800:].any() and shown[224:800].all()


def test_echomimic_gets_a_dict_per_frame_at_24_fps(tmp_path: Path, sound: Path) -> None:
    place = write(tmp_path, "echomimic_v2", sound=sound) / "echomimic_v2"
    names = {"README.txt", "reference.png", "audio.wav", *(f"poses/{i}.npy" for i in range(9))}
    assert set(files(place)) == names
    assert (place / "audio.wav").read_bytes() == sound.read_bytes()
    entry = np.load(place / "poses" / "4.npy", allow_pickle=True).tolist()  # as its loader does
    made = to_openpose(fit(resample(pose(), 24)[4], (768, 768)))
    assert entry["draw_pose_params"] == [768, 768, 0, 768, 0, 768]
    assert entry["hands"].shape == (2, 21, 2) and entry["faces"].shape == (1, 68, 2)
    assert entry["hands"] * 768.0 == pytest.approx(made.hands[..., :2])
    assert entry["hands_score"] == pytest.approx(made.hands[..., 2])
    assert entry["faces_score"].shape == (1, 68)
    assert entry["bodies"]["candidate"].shape == (18, 2)
    assert entry["bodies"]["subset"].tolist() == [list(map(float, range(18)))]
    assert entry["num"] == 4


def test_a_missing_joint_is_marked_for_echomimic(tmp_path: Path) -> None:
    walk = pose(2)
    walk[:, kp.LEFT_SHOULDER] = 0.0
    walk[:, kp.LEFT_HAND] = 0.0
    place = write_guides(tmp_path, walk, reference=None, sound=None, dialects=["echomimic_v2"])
    entry = np.load(place / "echomimic_v2" / "poses" / "0.npy", allow_pickle=True).tolist()
    assert entry["bodies"]["subset"][0, [1, 5]].tolist() == [-1.0, -1.0]  # neck, left shoulder
    assert not entry["hands"][0].any() and not entry["hands_score"][0].any()


def test_wan_animate_gets_a_pose_video_at_30_fps_and_is_told_of_the_face(tmp_path: Path) -> None:
    place = write(tmp_path, "wan_animate") / "wan_animate"
    assert set(files(place)) == {"README.txt", "src_ref.png", "src_pose.mp4"}
    with av.open(str(place / "src_pose.mp4")) as container:
        assert container.streams.video[0].average_rate == 30
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 12
    assert pictures[0].shape == rgb(place / "src_ref.png").shape == (960, 960, 3)
    drawn = DIALECTS["wan_animate"](resample(pose(), 30)[7], (960, 960))
    apart = [np.abs(picture.astype(int) - drawn).mean() for picture in pictures]
    assert int(np.argmin(apart)) == 7 and apart[7] < 3.0
    assert "MISSING: src_face.mp4" in (place / "README.txt").read_text()


def test_unianimate_gets_poses_in_the_order_of_names_and_that_of_the_reference(
    tmp_path: Path,
) -> None:
    place = write(tmp_path, "unianimate") / "unianimate"
    names = {"README.txt", "reference.png", "poses/pose.jpg"}
    assert set(files(place)) == names | {f"poses/{i:06d}.png" for i in range(6)}
    first, jpeg = rgb(place / "poses" / "000000.png"), rgb(place / "poses" / "pose.jpg")
    assert first.shape == jpeg.shape == (832, 480, 3)
    assert np.abs(first.astype(int) - jpeg).mean() < 3.0


def test_nothing_is_drawn_where_the_reference_is_black(tmp_path: Path) -> None:
    walk = pose()
    walk[:, kp.NAMES.index("left_knee"), :2] = (250.0, 700.0)
    place = write_guides(tmp_path, walk, reference=None, sound=None, dialects=["unianimate"])
    drawn = rgb(place / "unianimate" / "poses" / "000001.png")
    assert drawn[176:656].any() and not drawn[:176].any() and not drawn[656:].any()


@pytest.mark.parametrize("name", GUIDES)
def test_a_folder_says_what_it_lacks(tmp_path: Path, name: str) -> None:
    bare = write_guides(tmp_path, pose(2), reference=None, sound=None, dialects=[name]) / name
    said = (bare / "README.txt").read_text()
    picture = "src_ref.png" if name == "wan_animate" else "reference.png"
    assert f"MISSING: {picture}" in said and not (bare / picture).exists()
    assert ("MISSING: audio.wav" in said) == (name == "echomimic_v2")
    assert f"MISSING: {picture}" not in (write(tmp_path, name) / name / "README.txt").read_text()


# ---- whole or not at all -----------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, sound: Path) -> None:
    first = write(tmp_path / "a", *GUIDES, sound=sound)
    second = write(tmp_path / "b", *GUIDES, sound=sound)
    assert {entry.name for entry in first.iterdir()} == set(GUIDES)
    assert files(first) == files(second)


def test_a_later_run_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, "stableanimator")
    guides = write(tmp_path, "echomimic_v2")
    assert [entry.name for entry in guides.iterdir()] == ["echomimic_v2"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["guides"]


def test_after_a_failure_the_earlier_folder_stands_and_nothing_else(tmp_path: Path) -> None:
    before = files(write(tmp_path, "echomimic_v2"))
    broken = pose()
    broken[5, kp.RIGHT_SHOULDER, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        write_guides(
            tmp_path, broken, reference=None, sound=None, dialects=["echomimic_v2", "unianimate"]
        )
    assert files(tmp_path / "guides") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["guides"]


def test_what_cannot_be_made_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wide = np.zeros((256, 300, 3), dtype=np.uint8)
    names = ["stableanimator"]
    with pytest.raises(ValueError, match="got sora"):
        write_guides(tmp_path, pose(), reference=None, sound=None, dialects=[*names, "sora"])
    with pytest.raises(ValueError, match="got none"):
        write_guides(tmp_path, pose(), reference=None, sound=None, dialects=[])
    with pytest.raises(ValueError, match="one frame, got 0"):
        write_guides(tmp_path, pose(0), reference=None, sound=None, dialects=names)
    with pytest.raises(ValueError, match="square crop, got 300x256"):
        write_guides(tmp_path, pose(), reference=wide, sound=None, dialects=names)
    with pytest.raises(FileNotFoundError, match="no file"):
        write_guides(tmp_path, pose(), reference=None, sound=tmp_path / "no.wav", dialects=names)
    assert not list(tmp_path.iterdir())


def test_each_guide_has_its_dialect() -> None:
    assert set(GUIDES) <= set(DIALECTS)
