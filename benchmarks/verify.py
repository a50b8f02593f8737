"""How fast `csg-data verify` reads a dataset, beside reading it alone and beside hashing each file once.

    python -m benchmarks.verify [--mib 1024]

Clips of random bytes, about 4 MB each, in shards of some 500 MB. Files are put out of the page cache before each row
(posix_fadvise). CPU seconds are those of this process; other work on the machine slows the wall
clock, not them.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from manifests import tables
from manifests.checksums import write_checksums
from manifests.files import BLOCK, sha256_of
from manifests.shards import FAMILIES, Member, content_hash, revision, write_tar
from pipeline.audit.verify import THREADS, verify

SIZES = {"mp4": 3_300_000, "flac": 300_000, "pose.npy": 400_000}  # bytes of a clip of 10 s
CLIPS_A_SHARD = 128


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = make(Path(folder), given.mib)
        files = sorted(file for file in dataset.rglob("*") if file.is_file())
        size = sum(file.stat().st_size for file in files)
        print(f"{size / 1e6:.0f} MB in {len(files)} files, {THREADS} threads\n")
        print(f"{'':24}{'wall s':>8}{'CPU s':>8}{'MB/s':>8}{'of reading':>12}")
        ways: dict[str, Callable[[], object]] = {
            "reading alone": lambda: each(read, files),
            "one SHA-256 of each file": lambda: each(sha256_of, files),
            "csg-data verify": lambda: verified(dataset),
        }
        alone = 0.0
        for name, work in ways.items():
            wall, cpu = timed(work, files)
            alone = alone or wall
            print(f"{name:24}{wall:8.2f}{cpu:8.2f}{size / 1e6 / wall:8.0f}{wall / alone:11.2f}×")


def make(folder: Path, mib: int) -> Path:
    """A dataset of random clips whose hashes all agree."""
    draw, rows, shards = np.random.default_rng(0), list[tables.Row](), list[dict[str, object]]()
    clips = mib * 2**20 // sum(SIZES.values())
    for number, start in enumerate(range(0, clips, CLIPS_A_SHARD)):
        ids = [f"{clip:024x}" for clip in range(start, min(clips, start + CLIPS_A_SHARD))]
        samples = [random_clip(name, draw) for name in ids]
        placed: dict[str, Member] = {}
        for family, endings in FAMILIES.items():
            path = f"{family}/train-{number:03x}-000.tar"
            parts = [(f"{n}.{e}", h[e]) for n, h in zip(ids, samples, strict=True) for e in endings]
            (folder / family).mkdir(exist_ok=True)
            members = write_tar(folder / path, path, parts)
            placed |= {f"{family}/{member.name}": member for member in members}
            shards.append(shard_facts(folder / path, path, members))
        rows += [row_of(name, one, placed) for name, one in zip(ids, samples, strict=True)]
    write_manifests(folder, rows, shards)
    return folder


def random_clip(name: str, draw: np.random.Generator) -> dict[str, bytes]:
    """The members of a clip of the usual size, by ending."""
    members = {ending: draw.bytes(size) for ending, size in SIZES.items()}
    hashes = {e: hashlib.sha256(content).hexdigest() for e, content in members.items()}
    hashes["json"] = hashlib.sha256(record(name, "")).hexdigest()
    return members | {"json": record(name, revision(hashes))}


def record(name: str, revised: str) -> bytes:
    """A record that says no more than verify asks of it."""
    return (json.dumps({"id": name, "revision": revised}) + "\n").encode()


def row_of(name: str, members: dict[str, bytes], placed: dict[str, Member]) -> tables.Row:
    """A row of clips.parquet with nothing but the members."""
    row: tables.Row = {column: None for column in tables.CLIPS.names}
    row |= {"id": name, "revision": json.loads(members["json"])["revision"]}
    for column, path in tables.MEMBER_COLUMNS.items():
        family, ending = path.split("/")
        member = placed[f"{family}/{name}.{ending}"]
        row |= {f"{family}_shard": member.shard, f"{column}_offset": member.offset}
        row |= {f"{column}_size": member.size, f"{column}_sha256": member.sha256}
    return row


def shard_facts(file: Path, path: str, members: tuple[Member, ...]) -> dict[str, object]:
    """A shard as dataset.json lists it."""
    size, sha256 = file.stat().st_size, sha256_of(file)
    return {"path": path, "bytes": size, "sha256": sha256, "content": content_hash(members)}


def write_manifests(folder: Path, rows: list[tables.Row], shards: list[dict[str, object]]) -> None:
    """The tables, of which two are empty, dataset.json and the seals."""
    schemas = {"clips": tables.CLIPS, "decisions": tables.DECISIONS, "sources": tables.SOURCES}
    samples: dict[str, list[tables.Row]] = {"clips": rows, "decisions": [], "sources": []}
    for name, schema in schemas.items():
        tables.write(samples[name], schema, folder / f"{name}.parquet")
    members = [member for row in rows for member in tables.members_of(row).values()]
    root = tables.root_hash(members, samples)
    facts = {"root": root, "counts": {"clips": len(rows)}, "shards": shards}
    (folder / "dataset.json").write_text(json.dumps(facts))
    write_checksums(folder, {})


def timed(work: Callable[[], object], files: list[Path]) -> tuple[float, float]:
    """Wall and CPU seconds, with the files out of the page cache."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def each(work: Callable[[Path], object], files: list[Path]) -> None:
    """Some work on all files, several at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, files))


def read(file: Path) -> None:
    """A file's bytes, and nothing else."""
    buffer = bytearray(BLOCK)
    with file.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def verified(dataset: Path) -> None:
    """The command's own work."""
    report = verify(dataset)
    if report.findings:
        raise SystemExit(f"the dataset is not whole: {report.findings[:3]}")


if __name__ == "__main__":
    main()
