"""What a dataset of 150,000 clips takes: opening, the first batch, preparing, evaluating, each in a process of its own.

    python -m benchmarks.index [--clips 150000]

The index has as many rows as are asked for, each with an id of its own; their offsets point into one shard of 200 clips
of 10 s, so that reads are real and the disk is not filled (150,000 clips of their own are 60 GB). Families of features
are written for 200 clips; what is said of all clips is their time by clip, times the clips, and says so.
Peak memory is that of the whole process (VmHWM), libraries included; each part has to stay below 4 GiB.
"""

import argparse
import io
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from manifests import keypoints as kp
from manifests.shards import write_tar
from models.data.audio import LogMel
from models.data.features import Features, Recipe, audio_features, pose_features, prepare
from models.data.index import Motions
from models.data.order import Order
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.evaluation.baselines import fitted
from models.evaluation.choice import evenly
from models.evaluation.gesture_encoder import motion_encoder, training_windows
from models.evaluation.mouths import Mouths
from models.evaluation.run import Entrant, Settings, measured, write
from models.infer.generator import Motion, Person

REAL = 200
"""Clips that lie on disk."""
FRAMES = 250
PEOPLE = 405
EVALUATED = 100
LIMIT_GIB = 4.0
WIDE, WIDE_CLIPS = 768, 20
"""Numbers per frame of wav2vec 2.0's base size, and the clips that mouths are fitted on with them."""


def main() -> int:
    """The command: 1 where a part took more memory than it may."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=150_000, help="rows of the index")
    parser.add_argument("--evaluated", type=int, default=EVALUATED, help="clips evaluated on")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        real, large = Path(folder, "real"), Path(folder, "large")
        apart(written, real, large, given.clips)
        print(f"{given.clips} clips of {PEOPLE} people, {REAL} of them on disk\n")
        print(f"{'part':<58}{'s':>9}{'peak GiB':>10}")
        count = given.evaluated
        parts: Mapping[str, Callable[[Path, Path], float]] = {
            f"opening the index of {given.clips}": opening,
            f"first training batch of 32 of {given.clips}": first_batch,
            f"preparing pose, {REAL} clips": preparing_pose,
            f"preparing log-mel, {REAL} clips": preparing_voice,
            f"mean and std of poses, {REAL} clips": statistics,
            f"20,000 windows for the encoder under FGD of {given.clips}": windows,
            f"fitting 5 baselines on 500 of {given.clips}": fitting,
            f"fitting both mouths on {WIDE_CLIPS} clips, {WIDE} numbers per frame": wide_fitting,
            f"evaluating {count} of {given.clips}, 5 baselines and a toy": partial(
                evaluating, count
            ),
        }
        peaks: list[float] = []
        for name, part in parts.items():
            seconds, peak = apart(part, real, large)
            peaks.append(peak)
            print(f"{name:<58}{seconds:>9.2f}{peak:>10.2f}", flush=True)
            if name.endswith(f" {REAL} clips"):
                hours = seconds / REAL * given.clips / 3600
                print(f"{f'    extrapolated to {given.clips}, one process':<58}{hours:>7.1f} h")
    over = [peak for peak in peaks if peak >= LIMIT_GIB]
    print(f"\n{'no part' if not over else len(over)} above {LIMIT_GIB:g} GiB")
    return int(bool(over))


# ---- a process for each part -----------------------------------------------------------------------------------------


def apart(part: Callable[..., Any], *given: Any) -> Any:
    """What a part returns in a fresh process, with that process's peak memory in GiB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, part, given))
    child.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        sys.exit(f"{part} failed")
    child.join()
    return found


def _run(connection: Any, part: Callable[..., Any], given: tuple[Any, ...]) -> None:
    found = part(*given)
    connection.send((found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20))


@dataclass(slots=True)
class Clock:
    """Seconds of a block."""

    seconds: float = 0.0


@contextmanager
def clocked() -> Iterator[Clock]:
    """Times a block."""
    clock, began = Clock(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - began


# ---- the dataset -----------------------------------------------------------------------------------------------------


def written(real: Path, large: Path, clips: int) -> None:
    """`real`: a dataset of clips that lie on disk. `large`: rows with ids of their own that point into its shard."""
    real.mkdir()
    large.mkdir()
    write_real(real)
    (large / "motion").symlink_to(real / "motion")
    (large / "dataset.json").write_text(json.dumps({"root": "1" * 64}))
    table = pq.read_table(real / "clips.parquet")
    rows = table.take(pa.array(np.arange(clips) % len(table)))
    random = np.random.default_rng(0)
    ids = [f"{number:08x}" + "0" * 16 for number in random.permutation(clips)]
    splits = np.where(np.arange(clips) < EVALUATED * 10, "test", "train")
    columns = {
        "id": ids,
        "split": splits.tolist(),
        "identity": [f"speaker:{person}" for person in random.integers(0, PEOPLE, clips)],
    }
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(rows, large / "clips.parquet")


def write_real(folder: Path) -> None:
    """A shard of `REAL` clips of 10 s: a body that wanders, lips that move, a voice of changing loudness."""
    shard = "motion/train-all-000.tar"
    (folder / "motion").mkdir()
    rows: list[dict[str, object]] = []
    members: list[tuple[str, bytes]] = []
    for number in range(REAL):
        random = np.random.default_rng(number)
        pose = np.ones((FRAMES, kp.JOINTS, 3), np.float32)
        start = np.random.default_rng(0).uniform(150.0, 350.0, (kp.JOINTS, 2))
        pose[..., :2] = start + np.cumsum(random.normal(0.0, 1.0, (FRAMES, kp.JOINTS, 2)), axis=0)
        loud = np.repeat(random.uniform(100.0, 6_000.0, FRAMES // 5), 5 * 640)
        voice = (random.normal(0.0, 1.0, FRAMES * 640) * loud).clip(-32_000, 32_000)
        array, flac = io.BytesIO(), io.BytesIO()
        np.save(array, pose)
        soundfile.write(flac, voice.astype(np.int16), 16_000, format="FLAC")
        clip = f"{number:024x}"
        members += [(f"{clip}.flac", flac.getvalue()), (f"{clip}.pose.npy", array.getvalue())]
        rows.append({"id": clip, "revision": "0", "split": "train", "identity": "speaker:0", "locator": "made",
                     "frames": FRAMES, "motion_shard": shard})  # fmt: skip
    placed = {member.name: member for member in write_tar(folder / shard, shard, members)}
    for row in rows:
        for ending, name in (("pose.npy", "pose"), ("flac", "flac")):
            member = placed[f"{row['id']}.{ending}"]
            row |= {f"{name}_offset": member.offset, f"{name}_size": member.size}
        row |= {"video_shard": "", "mp4_offset": 0, "mp4_size": 0}
    pq.write_table(pa.Table.from_pylist(rows), folder / "clips.parquet")
    (folder / "dataset.json").write_text(json.dumps({"root": "0" * 64}))


def borrowed(real: Path, large: Motions, what: Recipe) -> Features:
    """A family of all clips, whose rows are those of the clips on disk."""
    computed = prepare(Motions.open(real), what)
    at = {entry.pose[0]: computed.at[entry.id] for entry in Motions.open(real).entries}
    return Features(computed.family, computed.files, {e.id: at[e.pose[0]] for e in large.entries})


# ---- the parts -------------------------------------------------------------------------------------------------------


def opening(real: Path, large: Path) -> float:
    """The index, and one read."""
    with clocked() as clock:
        motions = Motions.open(large)
        motions.pose(len(motions) // 2)
    return clock.seconds


def first_batch(real: Path, large: Path) -> float:
    """From nothing to the first batch of training, statistics of the 200 clips at hand."""
    prepare(Motions.open(real), pose_features(Skeleton()))
    prepare(Motions.open(real), audio_features(LogMel()))
    with clocked() as clock:
        motions = Motions.open(large, "train")
        batch_of(real, motions)
    return clock.seconds


def batch_of(real: Path, motions: Motions) -> None:
    """The first batch of a run: the one place here that knows how training makes it."""
    from models.data.batches import Steps
    from models.systems.csg405.batches import Windows

    values, voices = (
        borrowed(real, motions, what)
        for what in (pose_features(Skeleton()), audio_features(LogMel()))
    )
    windows = Windows(motions, values, voices, statistics_for(real, values_of(real)), 0)
    assert len(Steps(windows.batch, Order(0, len(motions)), 32)[0].clips) == 32


def values_of(real: Path) -> Features:
    """The poses of the clips on disk."""
    return prepare(Motions.open(real), pose_features(Skeleton()))


def preparing_pose(real: Path, large: Path) -> float:
    """The family of poses, of the clips on disk."""
    return preparing(real, pose_features(Skeleton()))


def preparing_voice(real: Path, large: Path) -> float:
    """The family of log-mel, of the clips on disk."""
    return preparing(real, audio_features(LogMel()))


def preparing(real: Path, what: Recipe) -> float:
    """A family, computed anew."""
    motions = Motions.open(real)
    with tempfile.TemporaryDirectory() as folder, clocked() as clock:
        prepare(motions, what, Path(folder))
    return clock.seconds


@dataclass(frozen=True)
class Toy:
    """Stands where the person stands, and sways by the seed."""

    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    generation: Any = None

    @property
    def audio_recipe(self) -> Recipe:
        return audio_features(LogMel())

    def encode_audio(self, sound: np.ndarray) -> np.ndarray:
        return LogMel()(sound)

    def generate(self, audio_features: np.ndarray, person: Person, *, seed: int) -> Motion:
        way = np.sin(np.arange(len(audio_features)) / 7.0 + seed)
        pose = np.repeat(person.pose[None], len(audio_features), axis=0)
        pose[..., :2] += 5.0 * way[:, None, None].astype(np.float32)
        return Motion(pose)


def statistics(real: Path, large: Path) -> float:
    """Mean and standard deviation of the clips on disk."""
    values = values_of(real)
    with clocked() as clock:
        statistics_for(real, values)
    return clock.seconds


def statistics_for(real: Path, values: Features) -> Statistics:
    """Of the clips on disk, as of the clips of an index."""

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for entry in Motions.open(real).entries:
            rows = values.rows(entry)
            yield np.nan_to_num(rows), ~np.isnan(rows)

    return Statistics.of(parts(), values.family.size)


def windows(real: Path, large: Path) -> float:
    """What an encoder is trained on, read from as many clips as are chosen; the training itself is not timed."""
    with clocked() as clock:
        training_windows(Motions.open(large, "train"))
    return clock.seconds


def fitting(real: Path, large: Path) -> float:
    """All baselines, on borrowed families."""
    with clocked() as clock:
        training = Motions.open(large, "train")
        voices, poses = (
            borrowed(real, training, what)
            for what in (audio_features(LogMel()), pose_features(Skeleton()))
        )
        fitted(
            training, Skeleton(), statistics_for(real, values_of(real)), voices, poses, at_most=500
        )
    return clock.seconds


def wide_fitting(real: Path, large: Path) -> float:
    """The ridge regression's largest case: its matrix grows with the square of the features' width."""
    training, random = Motions.open(large, "train"), np.random.default_rng(0)
    mouths = Mouths.new(WIDE)
    with clocked() as clock:
        for number in range(WIDE_CLIPS):
            pose, sound = training.pose(number), training.sound(number)
            mouths.add(pose, sound, random.normal(size=(len(pose), WIDE)).astype(np.float32))
        assert mouths.loudness.baseline() and mouths.ridge.baseline()
    return clock.seconds


def evaluating(count: int, real: Path, large: Path) -> float:
    """As `models.evaluation.run.evaluate`, on borrowed families and the statistics of the clips on disk.

    Baselines are fitted on 100 of the training clips; the encoder under FGD has seen 500 windows once.
    """
    with tempfile.TemporaryDirectory() as folder, clocked() as clock:
        computed, training = Motions.open(large, "test"), Motions.open(large, "train")
        chosen = replace(
            computed, entries=[computed.entries[n] for n in evenly(computed.entries, count, seed=0)]
        )
        voices, poses = (
            borrowed(real, Motions.open(large), what)
            for what in (audio_features(LogMel()), pose_features(Skeleton()))
        )
        made = fitted(
            training, Skeleton(), statistics_for(real, values_of(real)), voices, poses, at_most=100
        )
        entrants = {
            "toy": Entrant.trained(Toy(), voices),
            **{name: Entrant.baseline(each, voices) for name, each in made.baselines.items()},
        }
        encoder = motion_encoder(training, chosen, Path(folder), epochs=1, at_most=500)
        rows = measured(chosen, entrants, encoder=encoder, settings=Settings())
        write(Path(folder, "table"), rows, made.facts)
    return clock.seconds


if __name__ == "__main__":
    sys.exit(main())
