"""The index over a dataset's shards: it reads what was written, and says what is wrong with the rest."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.files import DatasetError, Files, Folder, array_in
from models.data.index import Crop, Motions
from tests.models.making import CLIPS, Made, changed, write_dataset

ONE = (Made(0, 30),)


def spoil(folder: Path, shard: str, change: Callable[[bytes], bytes]) -> None:
    file = folder / shard
    file.write_bytes(change(file.read_bytes()))


def respell(folder: Path, **columns: object) -> None:
    """clips.parquet with columns set to other values."""
    table = pq.read_table(folder / "clips.parquet")
    for name, value in columns.items():
        values = pa.array([value] * len(table))
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, folder / "clips.parquet")


# ---- what is right -----------------------------------------------------------------------------------------


def test_every_clip_is_read_exactly_as_it_was_written(dataset: Path) -> None:
    motions, made = Motions.open(dataset), {clip.clip: clip for clip in CLIPS}
    assert [entry.id for entry in motions.entries] == sorted(made)
    for number, entry in enumerate(motions.entries):
        clip = made[entry.id]
        assert (entry.frames, entry.split) == (clip.frames, clip.split)
        assert entry.identity == f"speaker:{clip.identity}"
        assert np.array_equal(motions.pose(number), clip.poses())
        assert np.array_equal(motions.sound(number), clip.voice())
        assert len(motions.sound(number)) == 640 * clip.frames


def test_splits_are_chosen_by_name(dataset: Path) -> None:
    assert len(Motions.open(dataset)) == 7
    assert {entry.split for entry in Motions.open(dataset, "train", "val").entries} == {
        "train",
        "val",
    }
    assert len(Motions.open(dataset, "test")) == 1
    assert len(Motions.open(dataset, "nothing")) == 0


def test_clips_are_chosen_by_a_condition_and_keep_their_order(dataset: Path) -> None:
    motions = Motions.open(dataset)
    long = motions.where(lambda entry: entry.frames > 40)
    assert [e.id for e in long.entries] == [e.id for e in motions.entries if e.frames > 40]
    assert np.array_equal(long.pose(0), motions.pose(motions.number(long.entries[0].id)))


def test_a_clip_is_found_by_digits_that_only_it_begins_with(tmp_path: Path) -> None:
    ids = ["aa11" + "0" * 20, "aa12" + "0" * 20, "b" * 24]
    clips = [Made(n, 25, id=clip) for n, clip in enumerate(ids)]
    motions = Motions.open(write_dataset(tmp_path / "set", clips))
    assert [motions.number(given) for given in ("aa11", "aa12", "b", ids[1])] == [0, 1, 2, 1]
    for given, count in (("aa1", 2), ("c", 0), ("", 3)):
        with pytest.raises(DatasetError, match=f"has {count} clips whose id begins with '{given}'"):
            motions.number(given)


def test_a_clip_is_found_by_its_place_in_a_split(dataset: Path) -> None:
    motions = Motions.open(dataset)
    train = [n for n, entry in enumerate(motions.entries) if entry.split == "train"]
    assert [motions.number(f"train:{place}") for place in range(5)] == train
    for given, count in (("train:5", 5), ("nobody:0", 0)):
        with pytest.raises(DatasetError, match=f"has {count} clips in .*, asked {given}"):
            motions.number(given)


def test_an_index_that_has_read_can_be_pickled_and_read_again(dataset: Path) -> None:
    motions = Motions.open(dataset)
    motions.pose(0)
    again = pickle.loads(pickle.dumps(motions))
    assert again.entries == motions.entries
    assert not again.files._open
    assert np.array_equal(again.pose(3), motions.pose(3))
    motions.files.close()
    assert not motions.files._open
    assert np.array_equal(again.pose(3), motions.pose(3))


def test_a_frame_of_the_video_is_a_picture_and_without_video_there_is_none(dataset: Path) -> None:
    motions = Motions.open(dataset)
    shot = motions.number(next(clip.clip for clip in CLIPS if clip.movie))
    for frame in (0, 7, 35):
        picture = motions.picture(shot, frame)
        assert picture is not None and picture.shape == (512, 512, 3)
        assert abs(float(picture.mean()) - (20 + 5 * frame)) < 2.0
    with pytest.raises(DatasetError, match="has no frame 36"):
        motions.picture(shot, 36)
    assert motions.picture(motions.number(CLIPS[0].clip), 0) is None


def test_a_dataset_whose_videos_were_left_behind_has_no_pictures(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", [Made(5, 25, "val", movie=True)])
    (folder / "video/val-all-000.tar").unlink()
    assert Motions.open(folder).picture(0, 0) is None


def test_the_root_and_the_backend_are_those_that_the_dataset_names(dataset: Path) -> None:
    motions = Motions.open(dataset)
    assert len(motions.root) == 64
    assert motions.pose_backend == "mediapipe"
    with pytest.raises(DatasetError, match="has no clips"):
        _ = Motions.open(dataset, "nothing").pose_backend


USES = (
    Made(0, 30, "train", "ada"),
    Made(1, 31, "train", "ada", use="train"),
    Made(2, 32, "val", "bea", use="all"),
    Made(3, 33, "val", "bea", use="train"),
    Made(4, 34, "test", "cid", use="train"),
)
"""Val and test hold such clips as no build of ours puts there."""


def seeds(motions: Motions) -> set[int]:
    return {entry.frames - 30 for entry in motions.entries}


@pytest.mark.parametrize(
    ("splits", "default", "whole"),
    [
        (("train",), {0, 1}, {0}),
        (("val",), {2}, {2}),
        (("test",), set(), set()),
        (("train", "val"), {0, 1, 2}, {0, 2}),
        ((), {0, 1, 2, 3, 4}, {0, 2}),
    ],
)
def test_clips_for_training_only_are_read_in_train_alone_unless_asked_for(
    tmp_path: Path, splits: tuple[str, ...], default: set[int], whole: set[int]
) -> None:
    folder = write_dataset(tmp_path, USES)
    assert seeds(Motions.open(folder, *splits)) == default
    assert seeds(Motions.open(folder, *splits, use="all")) == whole
    named = splits or ("train", "val", "test")
    asked = {seed for seed, made in enumerate(USES) if made.split in named}
    assert seeds(Motions.open(folder, *splits, use="any")) == asked


def test_every_clip_of_a_dataset_of_before_serves_for_all(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, USES)
    table = pq.read_table(folder / "clips.parquet").drop_columns(["use", "synthetic"])
    pq.write_table(table, folder / "clips.parquet")
    assert seeds(Motions.open(folder, "val")) == {2, 3}
    assert all(entry.measured_on for entry in Motions.open(folder).entries)


# ---- what is wrong -----------------------------------------------------------------------------------------


def test_a_folder_without_a_table_is_no_dataset(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DatasetError, match=r"is no dataset: it has no clips\.parquet"):
            Motions.open(folder)


def test_a_table_that_is_none_or_lacks_a_column_is_named(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    table = pq.read_table(folder / "clips.parquet")
    pq.write_table(table.drop_columns(["flac_size"]), folder / "clips.parquet")
    for splits in ((), ("train",)):
        with pytest.raises(DatasetError, match=r"clips\.parquet has no column 'flac_size'"):
            Motions.open(folder, *splits)
    pq.write_table(table.drop_columns(["split"]), folder / "clips.parquet")
    with pytest.raises(DatasetError, match=r"clips\.parquet has no column 'split'"):
        Motions.open(folder, "train")
    (folder / "clips.parquet").write_bytes(b"id,frames\n1,2\n")
    with pytest.raises(DatasetError, match=r"clips\.parquet cannot be read: ") as caught:
        Motions.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"root"', None])
def test_a_dataset_without_a_root_hash_is_named(tmp_path: Path, content: str | None) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    (folder / "dataset.json").unlink()
    if content is not None:
        (folder / "dataset.json").write_text(content)
    with pytest.raises(DatasetError, match=r"dataset\.json (has no root hash|cannot be read)"):
        _ = Motions.open(folder).root


def test_a_shard_that_is_cut_short_is_named_with_its_bytes(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    spoil(folder, "motion/train-all-000.tar", lambda content: content[:1_000])
    for read in (Motions.open(folder).pose, Motions.open(folder).sound):
        with pytest.raises(DatasetError, match=r"train-all-000\.tar ends at byte \d+, a member re"):
            read(0)


def test_a_shard_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    (folder / "motion/train-all-000.tar").unlink()
    with pytest.raises(DatasetError, match=r"train-all-000\.tar: No such file"):
        Motions.open(folder).pose(0)


@pytest.mark.parametrize(
    ("pose", "said"),
    [
        (np.zeros((29, 133, 3), np.float32), r"is float32 \(29, 133, 3\), needed float32 \(30,"),
        (np.zeros((30, 132, 3), np.float32), r"is float32 \(30, 132, 3\)"),
        (np.zeros((30, 133, 3), np.float64), r"is float64 \(30, 133, 3\)"),
        (np.zeros((30, 133, 3), np.int32), r"is int32"),
        (np.array(["x"]), r"is <U1 \(1,\)"),
    ],
)
def test_poses_of_another_shape_or_type_are_refused(
    tmp_path: Path, pose: np.ndarray, said: str
) -> None:
    folder = write_dataset(tmp_path / "set", changed(ONE, 0, pose=pose))
    with pytest.raises(DatasetError, match=rf"{ONE[0].clip}\.pose\.npy {said}"):
        Motions.open(folder).pose(0)


def test_sound_of_another_length_or_rate_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", changed(ONE, 0, sound=np.zeros(19_199, np.int16)))
    with pytest.raises(DatasetError, match=r"flac has \(19199,\) samples .* needed 19200 at 16000"):
        Motions.open(folder).sound(0)
    stereo = changed(ONE, 0, sound=np.zeros((19_200, 2), np.int16))
    with pytest.raises(DatasetError, match=r"\(19200, 2\)"):
        Motions.open(write_dataset(tmp_path / "set", stereo)).sound(0)


def test_a_member_that_is_something_else_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    entry = Motions.open(folder).entries[0]
    for content in hostile():
        padded = content.ljust(entry.pose[1], b"\0")[: entry.pose[1]]
        at = slice(entry.pose[0], sum(entry.pose))
        spoil(folder, entry.shard, lambda tar: tar[: at.start] + padded + tar[at.stop :])  # noqa: B023
        with pytest.raises(DatasetError, match=rf"{entry.id}\.pose\.npy: "):
            Motions.open(folder).pose(0)
    spoil(folder, entry.shard, lambda tar: tar.replace(b"fLaC", b"flac"))
    with pytest.raises(DatasetError, match=rf"{entry.id}\.flac: "):
        Motions.open(folder).sound(0)


def test_a_video_that_does_not_decode_is_named(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", [Made(5, 25, "val", movie=True)])
    spoil(folder, "video/val-all-000.tar", lambda tar: tar[:512] + bytes(len(tar) - 512))
    with pytest.raises(DatasetError, match=rf"{Made(5).clip}\.mp4: "):
        Motions.open(folder).picture(0, 0)


def test_a_clip_whose_json_names_no_backend_is_named(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    spoil(folder, "motion/train-all-000.tar", lambda tar: tar.replace(b'"backend"', b'"bakkend"'))
    with pytest.raises(DatasetError, match="names no pose backend"):
        _ = Motions.open(folder).pose_backend


@pytest.mark.parametrize("shard", ["../secret.tar", "motion/../../secret.tar", "{}/secret.tar"])
def test_a_table_cannot_point_out_of_its_folder(tmp_path: Path, shard: str) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    (folder / "motion/train-all-000.tar").rename(tmp_path / "secret.tar")
    respell(folder, motion_shard=shard.format(tmp_path))
    with pytest.raises(DatasetError, match="lies outside"):
        Motions.open(folder).pose(0)


# ---- parts of files ----------------------------------------------------------------------------------------


def test_a_part_of_a_file_is_read_with_and_without_a_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    files, place = Files(Folder.of(tmp_path)), bytearray(7)
    files.read_into("file", 93, memoryview(place))
    assert bytes(place) == files.read("file", 93, 7) == bytes(range(93, 100))
    with pytest.raises(DatasetError, match="ends at byte 100, a member reaches to 101"):
        files.read_into("file", 94, memoryview(place))
    assert files.read("file", 50, 0) == b""


def hostile() -> list[bytes]:
    """What calls itself an array and is none."""
    pickled, archive = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(archive, "w") as held:
        held.writestr("arr_0.npy", b"")
    head = b"\x93NUMPY\x01\x00"
    huge = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 133, 3), }\n"
    nested = b"(" * 200
    odd = b"{[]: 1}\n"
    sized = [head + len(text).to_bytes(2, "little") + text for text in (huge, nested, odd)]
    return [b"hello", pickled.getvalue(), archive.getvalue(), pickle.dumps([1]), *sized]


@pytest.mark.parametrize(
    "content",
    [b"", *hostile()],
    ids=["empty", "text", "pickled array", "archive", "pickle", "huge", "nested", "odd"],
)  # of their own: an archive's bytes hold the time, and each process would collect another test
def test_what_is_no_plain_array_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        array_in(io.BytesIO(content))


# ---- crops of another size -------------------------------------------------------------------------------------


def with_crop(folder: Path, crop: object) -> Motions:
    file = folder / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"settings": {"crop": crop}}))
    return Motions.open(folder)


def test_a_pose_of_a_crop_of_another_size_comes_in_pixels_of_512(tmp_path: Path) -> None:
    """Pixel centres lie at integers: the middle of 256 pixels, 127.5, is the middle of 512, 255.5."""
    pose = np.full((30, 133, 3), (127.5, 0.0, 0.9), np.float32)
    pose[:, 5] = 0.0  # missing
    folder = write_dataset(tmp_path / "set", [Made(0, 30, pose=pose)])
    motions = with_crop(folder, {"size": 256, "margin": 0.2})
    assert motions.crop == Crop(256, 0.2)
    found = motions.pose(0)
    assert found[0, 0].tolist() == pytest.approx([255.5, 0.5, 0.9])
    assert not found[:, 5].any()
    assert np.array_equal(with_crop(folder, {"size": 512}).pose(0), pose)


@pytest.mark.parametrize(
    "crop", [{"size": 1}, {"size": "large"}, {"margin": -1}, [512], {"margin": None}]
)
def test_a_crop_that_is_none_is_one_sentence(tmp_path: Path, crop: object) -> None:
    folder = write_dataset(tmp_path / "set", ONE)
    with pytest.raises(DatasetError, match=r"dataset\.json has (no|a) crop"):
        with_crop(folder, crop).pose(0)
