"""A small real dataset, a small real training run on it, and the killing of it: what the tests of the trainer share."""

import hashlib
import io
import json
import os
import signal
import socket
import time
from dataclasses import replace
from multiprocessing import get_context, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from manifests.shards import write_tar

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["models.systems.csg405.task", "models.training.trainer"])
STEPS = 24


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
    (folder / "dataset.json").write_text(json.dumps({"root": "a" * 64}))
    return folder


def train_here(data: Path, run: Path, workers: int, environment: dict[str, str]) -> None:
    """One process of a run, as `csg-model train` has it."""
    os.environ.update(environment)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    set_start_method(
        "fork", force=True
    )  # as in a process that nobody forked; else its workers outlive it
    from rich.console import Console

    from models.systems.csg405.configs import Size, tiny
    from models.systems.csg405.task import Task
    from models.training.settings import Training, plain
    from models.training.trainer import train

    training = Training(
        steps=STEPS, batch_size=4, warmup=5, save=3, keep=2, validate=10, previews=0, log=1, threads=1,
        workers=workers, tracker="none",
    )  # fmt: skip
    config = replace(tiny(), size=Size(16, 1, 2, 32), frames=20, training=training)
    task = Task.of(config, data)
    settings = {"config": plain(config), "dataset": task.training.root}
    with Path(os.devnull).open("w") as nowhere:
        train(run, task, training, settings, console=Console(file=nowhere))


def start(data: Path, run: Path, *, workers: int = 0, ranks: int = 1) -> list[BaseProcess]:
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
        process = FORKS.Process(target=train_here, args=(data, run, workers, environment))
        process.start()
        processes.append(process)
    return processes


def finish(processes: list[BaseProcess]) -> None:
    """Wait for the end of a run that is to end well."""
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


def kill_at(processes: list[BaseProcess], run: Path, *, step: int, later: float) -> bool:
    """kill -9 of all processes, `later` seconds after a step was logged; whether anything was still running."""
    file = run / "log.jsonl"
    while any(process.is_alive() for process in processes):
        if step == 0 or (file.is_file() and file.read_text().count('"loss"') >= step):
            break
        time.sleep(0.0005)
    time.sleep(later)
    running = [process for process in processes if process.is_alive()]
    for process in processes:
        if process.pid and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    return bool(running)


def fingerprint(run: Path) -> dict[str, object]:
    """All that a finished run leaves: weights, averaged weights, optimizer, exported model, and every logged figure."""
    import torch

    last = run / "checkpoints" / f"step-{STEPS:08d}"
    optimizer = torch.load(last / "optimizer.pt", weights_only=True)
    held = {
        f"{number}.{name}": value.numpy().tobytes()
        for number, parts in optimizer["state"].items()
        for name, value in parts.items()
    }
    files = [*sorted(last.glob("*.safetensors")), last / "facts.json", run / "log.jsonl"]
    files += sorted((run / "model").iterdir())
    return {
        "optimizer": hashlib.sha256(repr(sorted(held.items())).encode()).hexdigest(),
        **{file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    }
