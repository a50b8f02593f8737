"""The person to be moved: from pictures, arrays and clips; a real face is found, and what shows nobody is refused."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, coffee

from manifests import keypoints as kp
from models.data.files import DatasetError
from models.data.index import Crop
from models.infer.reference import (
    Person,
    PersonError,
    clearest,
    cropped,
    from_picture,
    person_of,
    read_picture,
    read_pose,
    shrunk,
)
from tests.models.making import CLIPS, HIDDEN, smooth_pose


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pictures") / "astronaut.png"
    cv2.imwrite(str(file), astronaut()[..., ::-1])
    return file


@pytest.fixture(scope="module")
def found(portrait: Path) -> Person:
    return person_of(str(portrait))


# ---- pictures ----------------------------------------------------------------------------------------------


def test_a_portrait_gives_a_pose_that_a_person_could_have(found: Person) -> None:
    pose = found.pose
    assert pose.shape == (133, 3) and pose.dtype == np.float32 and np.isfinite(pose).all()
    nose, left, right = pose[[kp.NOSE, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]]
    assert (pose[[kp.NOSE, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER], 2] > 0.5).all()
    assert 0 <= nose[0] < 512 and 0 <= nose[1] < 512
    assert left[1] > nose[1] + 50 and right[1] > nose[1] + 50
    assert left[0] > right[0] + 80  # the person's own left is on the right of the picture
    face = pose[kp.FACE]
    assert np.abs(face[face[:, 2] > 0, :2] - nose[:2]).max() < 150
    assert not pose[pose[:, 2] == 0].any()


def test_the_picture_is_the_crop_that_the_pose_lies_in(found: Person) -> None:
    assert found.picture is not None
    assert found.picture.shape == (512, 512, 3) and found.picture.dtype == np.uint8
    assert found.origin == "picture astronaut.png"
    x, y = found.pose[kp.NOSE, :2].round().astype(int)
    skin = found.picture[y - 5 : y + 6, x - 5 : x + 6].reshape(-1, 3).mean(axis=0)
    assert skin[0] > skin[2] + 15  # red above blue: it is the face, and it is RGB


def test_a_larger_picture_gives_the_same_pose_and_a_crop_that_shows_it(found: Person) -> None:
    large = cv2.resize(astronaut(), (2_048, 2_048), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    other = from_picture(large, backend="mediapipe", name="large", crop=Crop())
    assert np.abs(proportions(found.pose) - proportions(other.pose)).max() < 0.15
    again = from_picture(kept(other.picture), backend="mediapipe", name="crop", crop=Crop())
    assert np.abs(proportions(again.pose) - proportions(other.pose)).max() < 0.2


def proportions(pose: np.ndarray) -> np.ndarray:
    """Head and shoulders from the nose, in shoulder widths: whether a wrist is seen decides how wide the crop is."""
    return (pose[:7, :2] - pose[0, :2]) / np.linalg.norm(pose[5, :2] - pose[6, :2])


def kept(picture: np.ndarray | None) -> np.ndarray:
    assert picture is not None
    return picture


def test_a_picture_without_a_person_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "cup.png"), coffee()[..., ::-1])
    with pytest.raises(PersonError, match=r"cup\.png shows no face"):
        person_of(str(tmp_path / "cup.png"))
    with pytest.raises(PersonError, match="black shows no face"):
        from_picture(
            np.zeros((64, 64, 3), np.uint8), backend="mediapipe", name="black", crop=Crop()
        )


def test_a_model_of_poses_that_cannot_be_found_here_says_so(portrait: Path) -> None:
    with pytest.raises(PersonError, match="trained on poses of mmpose: "):
        person_of(str(portrait), backend="mmpose")
    with pytest.raises(PersonError, match="trained on poses of dreams, known are mediapipe, "):
        person_of(str(portrait), backend="dreams")


def test_a_fine_pattern_is_made_small_without_moire() -> None:
    pattern = (np.indices((3_072, 3_072)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = cropped(np.repeat(pattern[..., None], 3, axis=2), (0.0, 0.0, 3_072.0, 3_072.0), 512)
    assert small.shape == (512, 512, 3)
    assert np.abs(small[2:-2, 2:-2].astype(float) - 127.5).max() < 3


def test_a_crop_of_its_own_size_is_the_picture_and_black_beside_it() -> None:
    picture = astronaut()
    assert np.array_equal(cropped(picture, (0.0, 0.0, 512.0, 512.0), 512), picture)
    beside = cropped(picture, (-100.0, 0.0, 512.0, 512.0), 512)
    assert not beside[:, :100].any() and np.array_equal(beside[:, 100:], picture[:, :412])


def test_a_picture_is_only_ever_made_smaller() -> None:
    picture, scale = shrunk(astronaut(), 640)
    assert scale == 1.0 and picture is not None
    picture, scale = shrunk(astronaut()[:256], 128)
    assert picture.shape == (64, 128, 3) and scale == 0.25


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "person.png").write_bytes(content)
    with pytest.raises(PersonError, match=r"person\.png is no picture that can be read"):
        person_of(str(tmp_path / "person.png"))


def test_a_picture_that_is_too_large_or_cannot_be_read_is_named(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.infer.reference.MOST_PIXELS", 1_000)
    with pytest.raises(PersonError, match=r"at most 1,000 are taken in"):
        read_picture(portrait)
    with pytest.raises(PersonError, match="cannot be read: Is a directory"):
        read_picture(tmp_path)


# ---- arrays ------------------------------------------------------------------------------------------------


def test_a_pose_file_is_one_frame_or_the_clearest_of_many(tmp_path: Path) -> None:
    pose = smooth_pose(1, 20)
    pose[:5, :80] = 0.0
    np.save(tmp_path / "many.npy", pose)
    np.save(tmp_path / "one.npy", pose[7].astype(np.float64))
    many, one = (person_of(str(tmp_path / name)) for name in ("many.npy", "one.npy"))
    assert clearest(pose) == 5 and np.array_equal(many.pose, pose[5])
    assert one.pose.dtype == np.float32 and np.array_equal(one.pose, pose[7])
    assert (many.picture, many.origin) == (None, "pose many.npy")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((132, 3), np.float32), r"has shape \(1, 132, 3\), needed \(133, 3\) or"),
        (np.zeros((0, 133, 3), np.float32), r"has shape \(0, 133, 3\)"),
        (np.zeros(3, np.float32), r"has shape \(3,\)"),
        (np.float32(3), r"has shape \(\)"),
        (np.zeros((133, 3), np.int64), "holds int64, needed finite floats"),
        (np.full((133, 3), np.nan), "holds float64, needed finite floats"),
        (np.full((133, 3), np.inf, np.float32), "needed finite floats"),
        (np.full((133, 3), 1e300), "needed finite floats"),
        (np.full((133, 3), "x"), "needed finite floats"),
    ],
)
def test_an_array_that_is_no_pose_is_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "pose.npy", array)
    with pytest.raises(PersonError, match=rf"pose\.npy .*{said}"):
        read_pose(tmp_path / "pose.npy")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("code of a file was run",))


def hostile() -> dict[str, bytes]:
    pickled, archive = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([Bomb()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(archive, "w") as held:
        held.writestr("arr_0.npy", b"")
    head = b"\x93NUMPY\x01\x00"
    sized = {
        "huge": b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 133, 3), }\n",
        "nested": b"(" * 200,
        "unhashable": b"{[]: 1}\n",
    }
    return {
        "empty": b"",
        "text": b"hello",
        "pickle": pickled.getvalue(),
        "archive": archive.getvalue(),
        **{name: head + len(t).to_bytes(2, "little") + t for name, t in sized.items()},
    }


@pytest.mark.parametrize("kind", hostile())
def test_a_file_that_is_no_array_is_refused_and_no_code_in_it_runs(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "pose.npy").write_bytes(hostile()[kind])
    with pytest.raises(PersonError, match=r"pose\.npy is no array of numbers"):
        person_of(str(tmp_path / "pose.npy"))


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PersonError, match=r"absent\.npy is no array of numbers: .*No such file"):
        person_of(str(tmp_path / "absent.npy"))


# ---- clips -------------------------------------------------------------------------------------------------


def test_a_clip_gives_its_clearest_frame_and_that_frames_picture(dataset: Path) -> None:
    filmed = next(clip for clip in CLIPS if clip.movie)
    person = person_of(filmed.clip[:10], dataset)
    assert np.array_equal(person.pose, filmed.poses()[0])
    assert person.picture is not None and abs(float(person.picture.mean()) - 20) < 2
    assert person.origin == f"clip {filmed.clip}, frame 0"
    assert person_of(CLIPS[0].clip, dataset).picture is None
    assert clearest(CLIPS[1].poses()[list(HIDDEN)[-1] :]) == 1


def test_a_reference_that_is_nothing_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(PersonError, match="there is no file nobody, and it is no clip "):
        person_of("nobody", dataset)
    with pytest.raises(PersonError, match="it is no clip"):
        person_of(str(tmp_path))
    with pytest.raises(DatasetError, match="the clip 00ff needs --data"):
        person_of("00ff")
    with pytest.raises(DatasetError, match="has 0 clips whose id begins with"):
        person_of("0123456789", dataset)
    with pytest.raises(DatasetError, match="is no dataset"):
        person_of("00ff", tmp_path)
