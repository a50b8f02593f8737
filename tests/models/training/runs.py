"""A small real dataset, a small real training run on it, and the killing of it: what the tests of the trainer share."""

import hashlib
import io
import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from multiprocessing import get_context, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from manifests.shards import write_tar
from models.data.order import Place

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["models.systems.csg405.system", "models.systems.run"])
STEPS = 24
SYSTEMS = ("csg405", "toy")
"""The systems that are trained on the dataset made here; `small` has a configuration of each, and of those that need
faces (`tests/models/talking.py`)."""


def write_dataset(folder: Path, *, clips: int = 6) -> Path:
    """Clips of made-up motion and noise: enough for what is tested here, which is never what is learned."""
    (folder / "motion").mkdir(parents=True)
    rows: list[dict[str, object]] = []
    members: list[tuple[str, bytes]] = []
    for number in range(clips):
        random = np.random.default_rng(number)
        frames = 30 + 5 * number
        path = np.cumsum(random.normal(0.0, 2.0, (frames, 133, 2)), axis=0) + 256.0
        pose = np.concatenate([path, np.ones((frames, 133, 1))], axis=2).astype(np.float32)
        sound = (random.normal(0.0, 3000.0, frames * 640)).astype(np.int16)
        clip = hashlib.sha256(str(number).encode()).hexdigest()[:24]
        array, voice = io.BytesIO(), io.BytesIO()
        np.save(array, pose)
        soundfile.write(voice, sound, 16_000, format="FLAC")
        facts = json.dumps({"pose": {"backend": {"name": "mediapipe"}}}).encode()
        members += [
            (f"{clip}.pose.npy", array.getvalue()),
            (f"{clip}.flac", voice.getvalue()),
            (f"{clip}.json", facts),
        ]
        rows.append({"id": clip, "split": "train" if number else "val", "frames": frames})
    placed = {
        m.name: m
        for m in write_tar(folder / "motion/all-all-000.tar", "motion/all-all-000.tar", members)
    }
    for row in rows:
        row |= {"revision": str(row["id"])[::-1], "identity": f"person-{row['id']}"[:9]}
        row |= {"locator": "made", "motion_shard": "motion/all-all-000.tar", "video_shard": ""}
        for ending, name in (("pose.npy", "pose"), ("flac", "flac"), ("json", "json")):
            member = placed[f"{row['id']}.{ending}"]
            row |= {f"{name}_offset": member.offset, f"{name}_size": member.size}
    pq.write_table(pa.Table.from_pylist(rows), folder / "clips.parquet")
    crop = {"size": 512, "margin": 0.08}
    (folder / "dataset.json").write_text(json.dumps({"root": "a" * 64, "settings": {"crop": crop}}))
    return folder


def small(system: str, workers: int = 0, steps: int = STEPS) -> Any:
    """A configuration that is trained in a second. steps: of the last phase."""
    from models.systems import light_asd, syncnet
    from models.systems.csg405.configs import Size, tiny
    from models.training.settings import Training
    from tests.models.systems import toy

    training = Training(
        steps=steps, batch_size=4, warmup=5, save=3, keep=2, validate=10, previews=0, log=1, threads=1,
        workers=workers, tracker="none",
    )  # fmt: skip
    first, second = replace(training, steps=9, log=2), replace(training, accumulate=2, log=4)
    few = replace(training, steps=min(steps, 4), batch_size=2, save=1, validate=4, ema_decay=0.0)
    return {
        "csg405": lambda: replace(tiny(), size=Size(16, 1, 2, 32), frames=20, training=training),
        "toy": lambda: replace(toy.small(), codec=first, animation=second),
        "syncnet": lambda: replace(
            syncnet.tiny(),
            size=32,
            windows=2,
            reach=5,
            validation_frames=40,
            calibration=1,
            training=few,
        ),
        "light-asd": lambda: replace(
            light_asd.tiny(), size=32, frames=8, validation_frames=40, calibration=1, training=few
        ),
    }[system]()


def phases(system: str) -> tuple[str, ...]:
    """Its phases in their order."""
    from models.systems import system_of

    return system_of(system).phases(small(system))


def train_here(
    data: Path, run: Path, system: str, workers: int, steps: int, environment: dict[str, str]
) -> None:
    """One process of a run, as `csg-model train` has it."""
    os.environ.update(environment)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    set_start_method(
        "fork", force=True
    )  # as in a process that nobody forked; else its workers outlive it
    from rich.console import Console

    from models.data.dataset import Dataset
    from models.systems import system_of
    from models.systems.run import train_phases
    from models.training.signals import INTERRUPTED, Stopped

    config = small(system, workers, steps)
    with Path(os.devnull).open("w") as nowhere:
        try:
            train_phases(
                system, system_of(system), config, Dataset.open(data), run, console=Console(file=nowhere)
            )  # fmt: skip
        except Stopped:
            sys.exit(INTERRUPTED)


def prepare(data: Path, system: str = "csg405") -> None:
    """Compute what the first phase reads, as several ranks want it."""
    from models.data.dataset import Dataset
    from models.systems import system_of
    from models.systems.run import prepare_families

    prepare_families(system_of(system), small(system), Dataset.open(data), None, device="cpu")


def places(count: int) -> list[Place]:
    """The first samples of a run."""
    return [Place(0, number) for number in range(count)]


def start(
    data: Path, run: Path, *, workers: int = 0, ranks: int = 1, system: str = "csg405",
    steps: int = STEPS,
) -> list[BaseProcess]:  # fmt: skip
    """A run in processes of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes: list[BaseProcess] = []
    for rank in range(ranks):
        environment: dict[str, str] = {}
        if ranks > 1:
            environment = {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "MASTER_PORT": port,
                "MASTER_ADDR": "127.0.0.1",
            }  # fmt: skip
        given = (data, run, system, workers, steps, environment)
        process = FORKS.Process(target=train_here, args=given)
        process.start()
        processes.append(process)
    return processes


def finish(processes: list[BaseProcess], code: int = 0) -> None:
    """Wait for the end of a run that is to end like this."""
    for process in processes:
        process.join(120)
        assert process.exitcode == code


def signal_at(
    processes: list[BaseProcess],
    log: Path,
    *,
    lines: int,
    later: float,
    number: int = signal.SIGKILL,
) -> bool:
    """A signal to all processes, `later` seconds after so many lines of the log; whether anything was still running."""
    while any(process.is_alive() for process in processes):
        if lines == 0 or (log.is_file() and log.read_text().count('"loss') >= lines):
            break
        time.sleep(0.0005)
    time.sleep(later)
    running = [process for process in processes if process.is_alive()]
    for process in processes:
        if process.pid and process.is_alive():
            os.kill(process.pid, number)
    for process in processes:
        process.join(120)
    return bool(running)


def fingerprint(run: Path) -> dict[str, object]:
    """All that a finished run leaves, by phase: weights, averaged weights, optimizers, exports, every logged figure."""
    import torch

    left: dict[str, object] = {}
    for phase in sorted(file.parent for file in run.glob("*/settings.json")):
        last = max((phase / "checkpoints").iterdir())
        optimizers = torch.load(last / "optimizer.pt", weights_only=True)
        content = {
            f"{objective}.{number}.{name}": value.numpy().tobytes()
            for objective, optimizer in optimizers.items()
            for number, parts in optimizer["state"].items()
            for name, value in parts.items()
        }
        left[f"{phase.name}/optimizers"] = hashlib.sha256(
            repr(sorted(content.items())).encode()
        ).hexdigest()
        files = [*sorted(last.glob("*.safetensors")), last / "facts.json", phase / "log.jsonl"]
        files += sorted((phase / "model").glob("*"))
        for file in files:
            left[f"{phase.name}/{file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    for file in sorted((run / "model").iterdir()):
        left[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return left
