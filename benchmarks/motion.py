"""How fast the model half is: 10 s of motion, the loader beside webdataset, training beside an encoder in the forward.

    python -m benchmarks.motion [--quick]

Everything is timed side by side in one run, in CPU seconds of this process where it says so; ratios are what counts.
Weights are random: time does not depend on them. The audio encoder is wav2vec 2.0's base architecture (95 M).
"""

import argparse
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from torch import nn
from webdataset.compat import WebDataset

from manifests.shards import write_tar
from models.data.audio import LogMel
from models.data.batches import Steps
from models.data.features import Features, audio_features, pose_features, prepare
from models.data.index import Motions
from models.data.order import Order
from models.data.skeleton import Skeleton
from models.data.statistics import statistics_of
from models.diffusion.sampling import Sampling
from models.systems.csg405.batches import Batch, Windows
from models.systems.csg405.condition import denoising_error, sample
from models.systems.csg405.configs import Config, released, tiny

FRAMES = 250
"""10 s."""


@dataclass(slots=True)
class Spent:
    """Seconds by the wall and of the processors."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def spent() -> Iterator[Spent]:
    """Times a block."""
    clock, wall, cpu = Spent(), time.perf_counter(), time.process_time()
    yield clock
    clock.wall, clock.cpu = time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="one forward of the large networks, not several"
    )
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, bf16 in hardware: {bf16()}")
    with torch.inference_mode():
        generation(quick=given.quick)
    with tempfile.TemporaryDirectory() as folder:
        motions = made(Path(folder))
        loading(motions)
        training(motions)


def bf16() -> str:
    """Which instructions the processor has for it; without any, bf16 is slower than float32."""
    flags = Path("/proc/cpuinfo")
    words = set(flags.read_text().split()) if flags.is_file() else set()
    return ", ".join(sorted(words & {"avx512_bf16", "amx_bf16", "bf16"})) or "none"


# ---- 10 s of motion --------------------------------------------------------------------------------------------------


def encoder() -> nn.Module:
    """wav2vec 2.0 base, random."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    return Wav2Vec2Model(Wav2Vec2Config()).eval()


def generation(*, quick: bool) -> None:
    """Ours: 8 steps, both branches in one batch, features once. Released: 100 steps, two branches, each with the
    encoder inside; two of its steps are timed and the time scaled by 50."""
    config = released()
    precision = torch.bfloat16 if bf16() != "none" else torch.float32
    network = config.build(768).eval()
    listener = encoder()
    sound = torch.randn(1, FRAMES * 640)
    with spent() as once:
        features = listener(sound).last_hidden_state
    reference = torch.randn(1, config.reference.frames, config.skeleton.size)
    audio = nn.functional.interpolate(
        features.transpose(1, 2), size=FRAMES, mode="linear"
    ).transpose(1, 2)
    x, t = torch.randn(1, FRAMES, config.skeleton.size), torch.zeros(1, dtype=torch.int64)
    steps = 1 if quick else 2
    with spent() as theirs:
        for _ in range(steps):
            for _branch in range(2):
                inside = listener(sound).last_hidden_state
                network(x, t, inside, reference)
    network = network.to(precision)  # pyright: ignore[reportArgumentType] - functools.wraps, as typed, does not bind self
    how = Sampling(steps=2 if quick else 8)
    generator = torch.Generator().manual_seed(0)
    with spent() as ours:
        sample(
            network,
            audio,
            reference,
            noise=config.noise,
            frames=FRAMES,
            how=how,
            generator=generator,
        )
    pair = [each.repeat(2, 1, 1).to(precision) for each in (x, audio, reference)]
    with spent() as floor:
        for _ in range(how.steps):
            network(pair[0], t.repeat(2), pair[1], pair[2])
    scale_ours, scale_theirs = 8 / how.steps, 100 / steps
    print("\n10 s of motion, released size (217.5 M)        wall s    CPU s")
    rows = {
        f"released recipe, {steps} of 100 steps timed": (theirs, scale_theirs),
        f"ours, 8 steps, {str(precision)[6:]}": (ours, scale_ours),
        "the network alone, 8 forwards of two": (floor, scale_ours),
        "audio features, once": (once, 1.0),
    }
    for name, (each, scale) in rows.items():
        print(f"{name:<45}{each.wall * scale:>9.2f}{each.cpu * scale:>9.2f}")
    ratio = theirs.cpu * scale_theirs / (ours.cpu * scale_ours + once.cpu)
    print(f"released recipe over ours with its features: {ratio:.1f}")
    print(f"ours over the network alone: {ours.cpu / floor.cpu:.2f}")


# ---- the loader ------------------------------------------------------------------------------------------------------


def made(folder: Path, *, clips: int = 64, seconds: int = 10) -> Motions:
    """A dataset of made-up clips in one shard: what is timed depends on its bytes alone."""
    shard = "motion/train-all-000.tar"
    (folder / "motion").mkdir()
    rows: list[dict[str, object]] = []
    members: list[tuple[str, bytes]] = []
    for number in range(clips):
        random = np.random.default_rng(number)
        frames = seconds * 25
        pose = np.ones((frames, 133, 3), np.float32)
        pose[..., :2] = np.cumsum(random.normal(0.0, 1.0, (frames, 133, 2)), axis=0) + 256.0
        voice = np.sin(np.cumsum(random.uniform(0.01, 0.2, frames * 640))) * 8000.0
        array, flac = io.BytesIO(), io.BytesIO()
        np.save(array, pose)
        soundfile.write(flac, voice.astype(np.int16), 16_000, format="FLAC")
        clip = hashlib.sha256(str(number).encode()).hexdigest()[:24]
        members += [
            (f"{clip}.pose.npy", array.getvalue()),
            (f"{clip}.flac", flac.getvalue()),
            (f"{clip}.json", b"{}"),
        ]
        rows.append({"id": clip, "frames": frames})
    rows.sort(key=lambda row: str(row["id"]))
    members.sort()
    placed = {member.name: member for member in write_tar(folder / shard, shard, members)}
    for row in rows:
        row |= {
            "revision": "0",
            "split": "train",
            "identity": "made",
            "locator": "made",
            "motion_shard": shard,
        }
        for ending, name in (("pose.npy", "pose"), ("flac", "flac")):
            member = placed[f"{row['id']}.{ending}"]
            row |= {f"{name}_offset": member.offset, f"{name}_size": member.size}
    pq.write_table(pa.Table.from_pylist(rows), folder / "clips.parquet")
    (folder / "dataset.json").write_text(json.dumps({"root": "0" * 64}))
    return Motions.open(folder)


def loading(motions: Motions) -> None:
    """The same tensors through webdataset and through the index, one process, no workers, each clip once."""
    values = prepare(motions, pose_features(Skeleton()))
    voices = prepare(motions, audio_features(LogMel()))
    print("\nloader, one process, CPU ms per clip of 10 s    webdataset    ours    ratio")
    for name, theirs, ours in (
        (
            "features and encoded pose, nothing to decode",
            partial(theirs_features, values, voices),
            partial(ours_features, motions, values, voices),
        ),
        (
            "pose and sound, FLAC to decode",
            partial(theirs_raw, motions),
            partial(ours_raw, motions),
        ),
    ):
        same(theirs(), ours())
        times = [cpu_of(each, rounds=5) / len(motions) * 1e3 for each in (theirs, ours)]
        print(f"{name:<48}{times[0]:>10.2f}{times[1]:>8.2f}{times[0] / times[1]:>9.1f}")


def decoded(shard: str) -> WebDataset:
    """A shard through webdataset."""
    stream = WebDataset(shard, shardshuffle=False).decode()
    assert isinstance(stream, WebDataset)  # the stubs name one of its two bases
    return stream


def theirs_features(*families: Features) -> Iterator[tuple[np.ndarray, ...]]:
    """Two families through webdataset, side by side."""
    shards = [str(next(Path(each.folder.url).glob("*.tar"))) for each in families]
    for one, other in zip(*map(decoded, shards), strict=True):
        yield one["npy"], other["npy"]


def ours_features(motions: Motions, *families: Features) -> Iterator[tuple[np.ndarray, ...]]:
    """Two families by row."""
    for entry in motions.entries:
        yield tuple(each.rows(entry) for each in families)


def theirs_raw(motions: Motions) -> Iterator[tuple[np.ndarray, ...]]:
    """Pose and sound through webdataset."""
    shard = motions.folder / motions.entries[0].shard
    for one in decoded(str(shard)):
        yield one["pose.npy"], soundfile.read(io.BytesIO(one["flac"]), dtype="int16")[0]


def ours_raw(motions: Motions) -> Iterator[tuple[np.ndarray, ...]]:
    """Pose and sound through the index."""
    for number in range(len(motions)):
        yield motions.pose(number), motions.sound(number)


def same(theirs: Iterator[tuple[np.ndarray, ...]], ours: Iterator[tuple[np.ndarray, ...]]) -> None:
    """Both deliver identical tensors, or this fails."""
    for one, other in zip(theirs, ours, strict=True):
        for left, right in zip(one, other, strict=True):
            if left.dtype != right.dtype or not np.array_equal(
                left, right, equal_nan=left.dtype.kind == "f"
            ):
                raise AssertionError("the two loaders deliver different tensors")


def cpu_of(work: Callable[[], Iterator[tuple[np.ndarray, ...]]], *, rounds: int) -> float:
    """The least CPU seconds of several rounds."""
    least = float("inf")
    for _ in range(rounds):
        with spent() as clock:
            for _sample in work():
                pass
        least = min(least, clock.cpu)
    return least


# ---- training --------------------------------------------------------------------------------------------------------


def training(motions: Motions) -> None:
    """Samples per second of `tiny`, with features from disk and with wav2vec 2.0 inside the forward."""
    values, voices = (
        prepare(motions, pose_features(Skeleton())),
        prepare(motions, audio_features(LogMel())),
    )
    windows = Windows(motions, values, voices, statistics_of(motions, values), 0, FRAMES)
    steps = Steps(windows.batch, Order(0, len(motions)), 4)
    config = tiny()
    listener = encoder()
    kept, inside = trainer(config, voices.family.size), trainer(config, 768)

    def with_encoder(batch: Batch) -> Batch:
        sound = torch.randn(len(batch.clips), FRAMES * 640)
        with torch.no_grad():
            states = listener(sound).last_hidden_state.transpose(1, 2)
        audio = nn.functional.interpolate(states, size=FRAMES, mode="linear").transpose(1, 2)
        return replace(batch, audio=audio)

    with spent() as ours:
        for step in range(6):
            kept(steps[step])
    with spent() as theirs:
        for step in range(2):
            inside(with_encoder(steps[step]))
    rates = [24 / ours.wall, 8 / theirs.wall]
    print(
        f"\ntraining `tiny`, samples/s: features from disk {rates[0]:.1f}, encoder inside {rates[1]:.1f}, ",
        end="",
    )
    print(f"ratio of CPU time {theirs.cpu / 8 / (ours.cpu / 24):.1f}")


def trainer(config: Config, audio: int) -> Callable[[Batch], None]:
    """One optimizer step on a batch."""
    network = config.build(audio)
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = config.noise.schedule

    def step(batch: Batch) -> None:
        denoising_error(network, batch, config.noise, schedule).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
