"""Batches: a pure function of the step, whoever loads them; what is in them, and the statistics that normalise them."""

import pickle
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.data.audio import LogMel
from models.data.batches import Steps
from models.data.features import Features, audio_features, pose_features, prepare
from models.data.files import DatasetError, Files, Folder
from models.data.index import Motions
from models.data.order import Order, Place
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics, statistics_of
from models.systems.csg405.batches import Batch, Reference, Windows
from tests.models.making import CLIPS, HIDDEN, local, write_dataset

FRAMES = 40
LONG, SHORT, HALF_HIDDEN = 3, 4, 1  # of CLIPS


@pytest.fixture(scope="module")
def windows(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Windows:
    motions, root = Motions.open(dataset), tmp_path_factory.mktemp("features")
    skeleton = prepare(motions, pose_features(Skeleton(smoothing=None)), root)
    voices = prepare(motions, audio_features(LogMel()), root)
    return Windows(motions, skeleton, voices, statistics_of(motions, skeleton), 11, FRAMES)


def steps(windows: Windows, size: int = 4, rank: int = 0, ranks: int = 1) -> Steps:
    order = Order(windows.seed, len(windows.motions))
    return Steps(windows.batch, order, size, rank, ranks)


def number(windows: Windows, clip: int) -> int:
    return windows.motions.number(CLIPS[clip].clip)


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    names = ("values", "joint_mask", "frame_mask", "audio", "reference", "noise", "uniforms")
    return {name: getattr(batch, name) for name in names}


def same(one: Batch, other: Batch) -> bool:
    a, b = tensors(one), tensors(other)
    return one.clips == other.clips and all(torch.equal(a[name], b[name]) for name in a)


def truth(windows: Windows, place: Place) -> np.ndarray:
    """The whole clip as the network sees it, NaN where it is not known."""
    rows = windows.pose_features.rows(windows.motions.entries[place.clip])
    return (rows - windows.statistics.mean) / windows.statistics.std


def found(windows: Windows, place: Place, values: np.ndarray) -> int:
    """The frame of the clip that values (rows, size) begin at."""
    whole = np.nan_to_num(truth(windows, place))
    apart = [
        np.abs(whole[at : at + len(values)] - values).max()
        for at in range(len(whole) - len(values) + 1)
    ]
    assert min(apart) < 1e-5
    return int(np.argmin(apart))


# ---- purity ------------------------------------------------------------------------------------------------


def test_a_batch_is_a_pure_function_of_its_places(windows: Windows) -> None:
    places = [Place(0, 2), Place(3, 2), Place(0, 5)]
    first = windows.batch(places)
    windows.batch([Place(9, 1)])
    assert same(windows.batch(places), first)
    backwards = tensors(windows.batch(places[::-1]))
    for name, part in tensors(first).items():
        assert torch.equal(part.flip(0), backwards[name])


def test_another_epoch_or_seed_is_another_window_and_other_noise(windows: Windows) -> None:
    place = number(windows, LONG)
    some = [windows.batch([Place(epoch, place)]) for epoch in range(12)]
    other = replace(windows, seed=12).batch([Place(0, place)])
    assert len({float(batch.noise[0, 0, 0]) for batch in [*some, other]}) == 13
    assert len({found(windows, Place(0, place), batch.values[0].numpy()) for batch in some}) > 4


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker:UserWarning")
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_makes_the_same_stream(windows: Windows, workers: int) -> None:
    alone = list(steps(windows).stream(2, 9))
    shared = list(steps(windows).stream(2, 9, workers=workers))
    assert len(alone) == len(shared) == 7
    assert all(map(same, alone, shared))


def test_two_ranks_together_see_what_one_would(windows: Windows) -> None:
    for step in (0, 1, 50):
        whole = steps(windows, 6)[step]
        halves = [steps(windows, 3, rank, 2)[step] for rank in (0, 1)]
        assert halves[0].clips + halves[1].clips == whole.clips
        parts = [tensors(half) for half in halves]
        for name, part in tensors(whole).items():
            assert torch.equal(torch.cat([half[name] for half in parts]), part)


def test_ten_thousand_resumes_stand_where_an_unbroken_run_would() -> None:
    choose, unbroken = random.Random(1), Order(5, 7)
    places = [place for step in range(600) for place in unbroken.batch(step, 4)]
    for _ in range(10_000):
        step, rank, ranks = choose.randrange(300), choose.randrange(2), choose.choice((1, 2))
        rank = min(rank, ranks - 1)
        first = (step * ranks + rank) * 4
        assert Order(5, 7).batch(step, 4, rank=rank, ranks=ranks) == places[first : first + 4]


def test_runs_that_are_begun_again_anywhere_go_on_with_the_same_batches(windows: Windows) -> None:
    unbroken, choose = list(steps(windows, 2).stream(0, 40)), random.Random(2)
    for _ in range(30):
        first = choose.randrange(38)
        resumed = list(steps(pickle.loads(pickle.dumps(windows)), 2).stream(first, first + 2))
        assert all(map(same, resumed, unbroken[first:]))


# ---- what is in a batch ------------------------------------------------------------------------------------


def test_voice_and_motion_are_of_the_same_frames(windows: Windows) -> None:
    for epoch in range(6):
        place = Place(epoch, number(windows, LONG))
        batch = windows.batch([place])
        first = found(windows, place, batch.values[0].numpy())
        sound = windows.audio_features.rows(windows.motions.entries[place.clip], first, FRAMES)
        assert np.array_equal(batch.audio[0].numpy(), sound)
        assert batch.frame_mask.all()


def test_every_window_of_a_clip_is_drawn_alike_often(windows: Windows) -> None:
    place = number(windows, 6)  # 50 frames: windows at 0 to 10
    firsts = [
        found(windows, Place(0, place), windows.batch([Place(epoch, place)]).values[0].numpy())
        for epoch in range(220)
    ]
    counts = np.bincount(firsts, minlength=11)
    assert len(counts) == 11 and counts.min() >= 6 and counts.max() <= 38


def test_a_short_clip_is_padded_with_zeros_that_are_masked(windows: Windows) -> None:
    clip = number(windows, SHORT)
    batch, length = windows.batch([Place(0, clip), Place(0, number(windows, LONG))]), 25
    assert batch.frame_mask.sum(dim=1).tolist() == [length, FRAMES]
    assert batch.frame_mask[0, :length].all()
    assert batch.joint_mask[0, :length].all() and not batch.joint_mask[0, length:].any()
    assert not batch.values[0, length:].any() and not batch.audio[0, length:].any()
    whole = truth(windows, Place(0, clip))
    assert np.allclose(batch.values[0, :length].numpy(), whole, atol=1e-5)


def test_what_is_not_known_is_zero_and_masked(windows: Windows) -> None:
    place = Place(0, number(windows, HALF_HIDDEN))
    batch = windows.batch([place])
    first = found(windows, place, batch.values[0].numpy())
    known = ~np.isnan(truth(windows, place))[first : first + FRAMES]
    assert np.array_equal(batch.joint_mask[0].numpy(), known)
    assert not batch.values[0][~batch.joint_mask[0]].any()
    hidden = [frame - first for frame in HIDDEN if 0 <= frame - first < FRAMES]
    assert hidden and (~known[hidden]).any(axis=1).all()
    assert all(bool(torch.isfinite(part).all()) for part in tensors(batch).values())


def test_one_reference_frame_comes_from_anywhere_in_the_clip(windows: Windows) -> None:
    place = number(windows, LONG)
    at = []
    for epoch in range(60):
        batch = windows.batch([Place(epoch, place)])
        assert batch.reference.shape == (1, 1, windows.pose_features.family.size)
        at.append(found(windows, Place(0, place), batch.reference[0].numpy()))
    assert min(at) < 10 and max(at) > 65


def test_a_reference_that_is_not_known_is_zero(windows: Windows) -> None:
    place = number(windows, HALF_HIDDEN)
    seen_hidden = 0
    for epoch in range(60):
        reference = windows.batch([Place(epoch, place)]).reference[0].numpy()
        frame = found(windows, Place(0, place), reference)
        unknown = np.isnan(truth(windows, Place(0, place))[frame])
        assert not reference[0, unknown].any()
        seen_hidden += frame in HIDDEN
    assert seen_hidden


def test_the_frames_before_a_window_are_its_reference_or_the_last_of_them_repeated(
    windows: Windows,
) -> None:
    before = replace(windows, reference=Reference(frames=25, repeated=0.3))
    place, still, true, begun = number(windows, LONG), 0, 0, 0
    whole = truth(windows, Place(0, place))
    for epoch in range(120):
        batch = before.batch([Place(epoch, place)])
        first = found(windows, Place(0, place), batch.values[0].numpy())
        reference = batch.reference[0].numpy()
        last = whole[max(first - 1, 0)]
        assert np.allclose(reference[-1], last, atol=1e-5)
        held = min(first, 25)
        if (reference == reference[0]).all():
            still, begun = still + 1, begun + (held <= 1)
            continue
        assert np.allclose(reference[25 - held :], whole[first - held : first], atol=1e-5)
        assert (reference[: 25 - held] == reference[25 - held]).all()
        true += 1
    assert true > 60 and 18 <= still - begun <= 54


@pytest.mark.parametrize(("repeated", "alike"), [(0.0, False), (1.0, True)])
def test_how_often_the_reference_is_repeated_is_a_setting(
    windows: Windows, repeated: float, alike: bool
) -> None:
    before = replace(windows, reference=Reference(frames=3, repeated=repeated))
    place = number(windows, LONG)
    for epoch in range(20):
        batch = before.batch([Place(epoch, place)])
        if found(windows, Place(0, place), batch.values[0].numpy()) > 1:
            reference = batch.reference[0]
            assert bool((reference == reference[0]).all()) == alike


def test_the_noise_is_standard_normal_and_chances_are_uniform(windows: Windows) -> None:
    batches = [steps(windows, 7)[step] for step in range(20)]
    noise = torch.cat([batch.noise for batch in batches])
    assert noise.numel() > 1_000_000
    assert abs(float(noise.mean())) < 0.005
    assert abs(float(noise.std()) - 1.0) < 0.005
    assert abs(float((noise.abs() < 1.0).float().mean()) - 0.6827) < 0.005
    assert abs(float((noise[:, 1:] * noise[:, :-1]).mean())) < 0.005
    chance = torch.cat([batch.uniforms for batch in batches])
    assert chance.shape == (140, 2) and float(chance.min()) >= 0.0 and float(chance.max()) < 1.0
    assert abs(float(chance.mean()) - 0.5) < 0.06


def test_a_batch_goes_to_a_device_whole(windows: Windows) -> None:
    batch = windows.batch([Place(0, 0)])
    assert same(batch.to("cpu"), batch)
    moved = batch.to("meta")
    assert moved.clips == batch.clips
    assert all(part.is_meta for part in tensors(moved).values())


def test_statistics_of_another_layout_are_refused(windows: Windows) -> None:
    size = windows.pose_features.family.size
    other = Statistics(*(np.ones(size - 2, np.float32) for _ in range(3)))
    with pytest.raises(ValueError, match=f"statistics of {size - 2} numbers do not fit .* {size}"):
        replace(windows, statistics=other)


# ---- statistics --------------------------------------------------------------------------------------------


def test_statistics_are_those_of_numpy_over_the_known_values(windows: Windows) -> None:
    entries = windows.motions.entries
    rows = np.concatenate([windows.pose_features.rows(entry) for entry in entries]).astype(
        np.float64
    )
    statistics = windows.statistics
    assert np.allclose(statistics.mean, np.nanmean(rows, axis=0), atol=1e-6)
    spread = np.maximum(np.nanstd(rows, axis=0), 1e-3)
    assert np.allclose(statistics.std, spread, rtol=1e-5)
    assert np.allclose(statistics.known_fraction, (~np.isnan(rows)).mean(axis=0))
    assert statistics.known_fraction.min() < 1.0


def test_statistics_are_written_and_read_to_the_bit(windows: Windows, tmp_path: Path) -> None:
    windows.statistics.write(tmp_path / "statistics.json")
    again = Statistics.read(tmp_path / "statistics.json")
    for name in ("mean", "std", "known_fraction"):
        mine, held = getattr(windows.statistics, name), getattr(again, name)
        assert held.dtype == np.float32 and np.array_equal(mine, held)
    assert [file.name for file in tmp_path.iterdir()] == ["statistics.json"]


def test_odd_floats_are_written_and_read_to_the_bit(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 0x7F000000, 3_000, dtype=np.uint32)
    numbers = bits.view(np.float32)
    Statistics(numbers, -numbers, numbers).write(tmp_path / "statistics.json")
    again = Statistics.read(tmp_path / "statistics.json")
    assert np.array_equal(again.mean.view(np.uint32), bits)
    assert np.array_equal(again.std, -numbers)


def test_statistics_are_kept_by_which_clips_they_are_of(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set")
    motions = Motions.open(folder)
    values = prepare(motions, pose_features(Skeleton()))
    whole = statistics_of(motions, values)
    part = statistics_of(motions.where(lambda entry: entry.split == "train"), values)
    assert not np.array_equal(whole.mean, part.mean)
    assert len(list(local(values).glob("statistics-*.json"))) == 2

    class Unread(Features):
        def rows(self, *_: object) -> np.ndarray:
            raise AssertionError("statistics were computed again")

    held = statistics_of(motions, Unread(values.family, values.files, values.at))
    assert np.array_equal(held.mean, whole.mean)


def test_statistics_that_cannot_be_kept_are_one_sentence(windows: Windows) -> None:
    class Elsewhere(Features):
        def rows(self, *_: object) -> np.ndarray:
            return np.ones((2, self.family.size), np.float32)

    nowhere = Elsewhere(windows.pose_features.family, Files(Folder("/proc/none")), {})
    with pytest.raises(DatasetError, match=r"/proc/none cannot be written .*: name another with"):
        statistics_of(windows.motions, nowhere)
