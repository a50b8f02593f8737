"""Features on disk: made once, made anew where a clip came, went or changed, read by row as they were made."""

import gc
import os
import pickle
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from models.data.features import (
    Family,
    Features,
    NotPrepared,
    Recipe,
    compute,
    family,
    pose_features,
    prepare,
)
from models.data.features import open_features as already_computed
from models.data.files import DatasetError
from models.data.index import Motions
from models.data.skeleton import Skeleton
from tests.models.making import CLIPS, Made, changed, local, write_dataset

KIND = family("loud-1", "a test", 3, np.float32)


class MotionGenerator:
    """Makes three numbers per frame, and remembers of which clips."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, motions: Motions, number: int) -> np.ndarray:
        self.asked.append(motions.entries[number].id)
        return loud(motions.sound(number))

    @property
    def recipe(self) -> Recipe:
        return Recipe(KIND, self)


def loud(sound: np.ndarray) -> np.ndarray:
    frames = np.abs(sound.astype(np.float32)).reshape(-1, 640)
    return np.stack([frames.mean(1), frames.max(1), frames.min(1)], axis=1)


def open_features(folder: Path, root: Path | None = None) -> tuple[MotionGenerator, Features]:
    generator = MotionGenerator()
    return generator, prepare(Motions.open(folder), generator.recipe, root)


def ids(*numbers: int) -> list[str]:
    return sorted(CLIPS[number].clip for number in numbers)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set")


# ---- made once ---------------------------------------------------------------------------------------------


def test_features_are_made_once(folder: Path) -> None:
    first, features = open_features(folder)
    assert sorted(first.asked) == ids(*range(7))
    second, again = open_features(folder)
    assert second.asked == []
    assert again.at == features.at


def test_each_clip_is_told_once_whether_it_was_made_or_was_there(folder: Path) -> None:
    for _ in range(2):
        told: list[tuple[int, int]] = []

        def note(done: int, of: int, told: list[tuple[int, int]] = told) -> None:
            told.append((done, of))

        prepare(Motions.open(folder), MotionGenerator().recipe, on_progress=note)
        assert told == [(n, 7) for n in range(1, 8)]


def test_features_cover_every_clip_of_the_dataset_whatever_part_of_it_is_opened(
    folder: Path,
) -> None:
    generator = MotionGenerator()
    features = prepare(Motions.open(folder, "val"), generator.recipe)
    assert len(generator.asked) == len(features.at) == 7


def test_a_changed_clip_redoes_its_shard_and_no_other(folder: Path) -> None:
    open_features(folder)
    clips = changed(CLIPS, 2, sound=CLIPS[2].voice() // 2)
    generator, features = open_features(write_dataset(folder, clips))
    assert sorted(generator.asked) == ids(2, 3, 4)
    motions = Motions.open(folder)
    entry = motions.entries[motions.number(CLIPS[2].clip)]
    assert np.array_equal(features.rows(entry), loud(CLIPS[2].voice() // 2))


def test_an_added_and_a_removed_clip_redo_their_shards_and_no_other(folder: Path) -> None:
    open_features(folder)
    generator, features = open_features(write_dataset(folder, [*CLIPS, Made(7, 26, "val", "dan")]))
    assert sorted(generator.asked) == sorted([*ids(5), Made(7).clip])
    assert len(features.at) == 8
    generator, features = open_features(
        write_dataset(folder, [c for c in CLIPS if c is not CLIPS[0]])
    )
    assert sorted(generator.asked) == ids(1, 5)
    assert CLIPS[0].clip not in features.at


def test_a_shard_whose_clips_are_all_gone_is_removed_from_the_family(folder: Path) -> None:
    _, features = open_features(folder)
    place = local(features)
    assert (place / "test-all-000.tar").is_file() and (place / "test-all-000.json").is_file()
    (folder / "motion/test-all-000.tar").unlink()
    generator, features = open_features(write_dataset(folder, CLIPS[:-1]))
    assert generator.asked == []
    assert not list(place.glob("test-*"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tar, told: told.unlink(),
        lambda tar, told: tar.unlink(),
        lambda tar, told: tar.write_bytes(tar.read_bytes()[:700]),
        lambda tar, told: told.write_text("{"),
        lambda tar, told: told.write_text("[]"),
        lambda tar, told: told.write_text('{"a": 3}'),
        lambda tar, told: told.write_text('{"a": ["b", "c", "d"]}'),
    ],
    ids=["no-json", "no-tar", "short-tar", "half-json", "list", "number", "words"],
)
def test_a_shard_or_index_that_is_not_whole_is_made_anew(
    folder: Path, spoil: Callable[[Path, Path], object]
) -> None:
    _, features = open_features(folder)
    place = local(features)
    before = {file.name: file.read_bytes() for file in place.iterdir()}
    spoil(place / "train-b-000.tar", place / "train-b-000.json")
    generator, _ = open_features(folder)
    assert sorted(generator.asked) == ids(2, 3, 4)
    assert {file.name: file.read_bytes() for file in place.iterdir()} == before


def killed_after(folder: str, clips: int) -> None:
    """A process that dies while it makes the features of a clip."""
    done: list[int] = []

    def make(motions: Motions, number: int) -> np.ndarray:
        if len(done) == clips:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(number)
        return loud(motions.sound(number))

    prepare(Motions.open(Path(folder)), Recipe(KIND, make))


@pytest.mark.parametrize("clips", [0, 2, 4])
def test_killed_in_the_middle_and_begun_again_is_as_never_killed(folder: Path, clips: int) -> None:
    whole = write_dataset(folder.parent / "other")
    _, unbroken = open_features(whole)
    process = get_context("fork").Process(target=killed_after, args=(str(folder), clips))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    generator, features = open_features(folder)
    assert len(generator.asked) <= 7
    for shard in ("train-all-000", "train-b-000", "val-all-000", "test-all-000"):
        for ending in ("tar", "json"):
            name = f"{shard}.{ending}"
            assert (local(features) / name).read_bytes() == (local(unbroken) / name).read_bytes()


# ---- read --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Motions, Features]:
    return Motions.open(dataset), open_features(dataset, tmp_path_factory.mktemp("features"))[1]


@given(data=st.data())
def test_rows_of_a_window_are_those_of_the_whole(
    opened: tuple[Motions, Features], data: st.DataObject
) -> None:
    motions, features = opened
    number = data.draw(st.integers(0, len(motions) - 1))
    entry, whole = motions.entries[number], loud(motions.sound(number))
    first = data.draw(st.integers(0, entry.frames))
    count = data.draw(st.integers(0, entry.frames - first))
    assert np.array_equal(features.rows(entry, first, count), whole[first : first + count])
    assert np.array_equal(features.rows(entry, first), whole[first:])


def test_a_window_that_reaches_out_of_its_clip_is_an_error(
    opened: tuple[Motions, Features],
) -> None:
    motions, features = opened
    entry = motions.entries[0]
    for first, count in ((-1, 2), (0, entry.frames + 1), (entry.frames, 1), (entry.frames - 1, 2)):
        with pytest.raises(IndexError, match=rf"has rows 0 to {entry.frames}, asked {first} to"):
            features.rows(entry, first, count)


# webdataset leaves closing the shards it read to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_plain_webdataset_reads_the_same_arrays(opened: tuple[Motions, Features]) -> None:
    motions, features = opened
    shards = sorted(str(file) for file in local(features).glob("*.tar"))
    held = webdataset.WebDataset(shards, shardshuffle=False).decode()
    arrays = {sample["__key__"]: sample["npy"] for sample in held}
    assert set(arrays) == {entry.id for entry in motions.entries}
    for entry in motions.entries:
        assert np.array_equal(arrays[entry.id], features.rows(entry))
    del held
    gc.collect()


def test_a_pose_that_is_not_known_is_not_a_number(dataset: Path, tmp_path: Path) -> None:
    motions, skeleton = Motions.open(dataset), Skeleton()
    features = prepare(motions, pose_features(skeleton), tmp_path)
    number = motions.number(CLIPS[1].clip)
    values, known = skeleton.encode(motions.pose(number))
    rows = features.rows(motions.entries[number])
    assert not known.all()
    assert np.array_equal(~np.isnan(rows), known)
    assert np.array_equal(rows[known], values[known])


# ---- where -------------------------------------------------------------------------------------------------


def test_a_family_may_lie_outside_of_a_dataset_that_is_not_touched(
    folder: Path, tmp_path: Path
) -> None:
    before = sorted(folder.rglob("*"))
    _, features = open_features(folder, tmp_path / "elsewhere")
    assert local(features) == tmp_path / "elsewhere" / KIND.name
    assert sorted(folder.rglob("*")) == before
    assert open_features(folder, tmp_path / "elsewhere")[0].asked == []
    assert len(open_features(folder)[0].asked) == 7


def test_what_numbers_depend_on_names_the_family() -> None:
    names = {
        family("a", facts, 3, np.float32).name
        for facts in (None, 1, "1", (1, None), (1, "weights"), Skeleton(), Skeleton(neck=False))
    }
    assert len(names) == 7
    assert pose_features(Skeleton()).family == pose_features(Skeleton()).family
    assert (
        pose_features(Skeleton(valid_from=0.4)).family.name != pose_features(Skeleton()).family.name
    )
    assert (
        pose_features(Skeleton(face_root="nose")).family.name
        != pose_features(Skeleton()).family.name
    )


def test_features_of_the_default_layout_keep_the_name_they_had_before_there_was_another_face_root() -> (
    None
):
    assert pose_features(Skeleton()).family.name == "skeleton-1@c7dfa093974d"


def test_a_folder_that_cannot_be_made_is_one_sentence(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"cannot be written \(Not a directory\): name another"):
        open_features(dataset, tmp_path / "file" / "features")


@contextmanager
def no_room(limit: int) -> Iterator[None]:
    """No file can grow past a limit, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(dataset: Path, tmp_path: Path) -> None:
    with (
        no_room(1_000),
        pytest.raises(DatasetError, match=r"cannot be written \(File too large\): name another"),
    ):
        open_features(dataset, tmp_path)
    assert not list((tmp_path / KIND.name).iterdir())
    assert len(open_features(dataset, tmp_path)[0].asked) == 7


def test_an_array_of_another_length_is_refused(dataset: Path, tmp_path: Path) -> None:
    def short(motions: Motions, number: int) -> np.ndarray:
        return loud(motions.sound(number))[1:]

    with pytest.raises(DatasetError, match=r"loud-1@\w+ of [0-9a-f]{24} has shape .* needed"):
        prepare(Motions.open(dataset), Recipe(KIND, short), tmp_path)
    assert not list((tmp_path / KIND.name).glob("*.json"))


def test_opened_features_can_be_pickled(opened: tuple[Motions, Features]) -> None:
    motions, features = opened
    again = pickle.loads(pickle.dumps(features))
    assert isinstance(again.family, Family)
    entry = motions.entries[2]
    assert np.array_equal(again.rows(entry), features.rows(entry))


def test_two_processes_that_make_the_same_features_leave_them_whole(folder: Path) -> None:
    copy = shutil.copytree(folder, folder.parent / "other")
    _, alone = open_features(copy)
    processes = [
        get_context("fork").Process(target=killed_after, args=(str(folder), 99)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    generator, features = open_features(folder)
    assert generator.asked == []
    assert features.at == alone.at
    assert replace(features, files=alone.files) == alone


# ---- families of every kind ------------------------------------------------------------------------------------


def thumbnails(motions: Motions, number: int) -> np.ndarray:
    """Every second frame, 2 x 3 pixels that say which."""
    rows = -(-motions.entries[number].frames // 2)
    return np.broadcast_to(np.arange(rows, dtype=np.uint8)[:, None, None, None], (rows, 2, 3, 3))


def words(motions: Motions, number: int) -> np.ndarray:
    """As many rows as the clip's number, plus one."""
    return np.arange(number + 1, dtype=np.int64)[:, None]


FRAMES = Recipe(family("frames-1", "drawn", (2, 3, 3), np.uint8, rate=12.5), thumbnails)
WORDS = Recipe(family("words-1", "said", 1, np.int64, rate=None), words)


@pytest.mark.parametrize(
    ("rate", "frames", "rows"),
    [(25.0, 7, 7), (12.5, 7, 4), (12.5, 8, 4), (50.0, 7, 14), (100 / 3, 3, 4)],
)
def test_rows_are_those_that_begin_within_the_frames(rate: float, frames: int, rows: int) -> None:
    assert family("a-1", "", 1, np.float32, rate=rate).row_of(frames) == rows


def test_a_window_of_pictures_at_another_rate_is_that_of_its_frames(folder: Path) -> None:
    motions = Motions.open(folder)
    features = prepare(motions, FRAMES)
    for entry in motions.entries:
        rows, known = features.window(entry, 4, 11)  # rows that begin with frames 4, 6 … 14
        assert rows.shape == (6, 2, 3, 3) and rows.dtype == np.uint8 and known.all()
        assert rows[:, 0, 0, 0].tolist() == list(range(2, 8))
        assert len(features.rows(entry)) == -(-entry.frames // 2)


def test_a_family_without_a_rate_has_as_many_rows_as_there_are(folder: Path) -> None:
    motions = Motions.open(folder)
    features = prepare(motions, WORDS)
    for number, entry in enumerate(motions.entries):
        assert features.rows(entry)[:, 0].tolist() == list(range(number + 1))
        assert len(features.window(entry, 3, 2)[0]) == number + 1
    with pytest.raises(ValueError, match="stand at no time"):
        WORDS.family.row_of(1)


def test_a_mask_says_what_of_a_window_is_known(folder: Path) -> None:
    motions = Motions.open(folder)
    features = prepare(motions, pose_features(Skeleton(smoothing=None)))
    number = motions.number(CLIPS[1].clip)
    rows, known = features.window(motions.entries[number], 7, 3)
    hand = slice(2 * 91, 2 * 112)  # out of sight from frame 8 on
    assert known[0, hand].all() and not known[1:, hand].any()
    assert np.isfinite(rows).all() and not rows[1:, hand].any()


def test_an_array_of_another_shape_is_refused_by_name(folder: Path) -> None:
    wrong = replace(FRAMES, make=words)
    with pytest.raises(
        DatasetError, match=r"frames-1@.* has shape \(\d, 1\), needed \(\d+, 2, 3, 3\)"
    ):
        prepare(Motions.open(folder), wrong)


# ---- computed by many ------------------------------------------------------------------------------------------


def test_processes_and_ranks_compute_the_same_bytes_as_one(folder: Path, tmp_path: Path) -> None:
    motions = Motions.open(folder)
    recipe = pose_features(Skeleton())
    alone = local(prepare(motions, recipe, tmp_path / "alone"))
    counted: list[tuple[int, int]] = []
    pool = prepare(
        motions, recipe, tmp_path / "pool", workers=2, on_progress=lambda *n: counted.append(n)
    )
    for rank in range(3):
        with pytest.raises(NotPrepared, match=r"of 4 shards of skeleton-1@"):
            already_computed(motions, recipe.family, tmp_path / "ranks")
        compute(motions, recipe, tmp_path / "ranks", part=(rank, 3))
    ranks = already_computed(motions, recipe.family, tmp_path / "ranks")
    wanted = {file.name: file.read_bytes() for file in alone.iterdir()}
    for other in (pool, ranks):
        assert {file.name: file.read_bytes() for file in local(other).iterdir()} == wanted
    assert counted[-1] == (7, 7)


def dies(motions: Motions, number: int) -> np.ndarray:
    """A process that the kernel kills."""
    os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros(0)


def test_a_process_that_dies_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a process that computed loud-1@.* died"):
        prepare(Motions.open(folder), Recipe(KIND, dies), tmp_path, workers=1)
