"""The sample on disk: media, the source list and the planted truth, written once."""

import csv
import io
import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from hashlib import sha256
from pathlib import Path

from manifests.files import write_whole
from pipeline.sample import faults, film
from pipeline.sample.faults import Source, Truth
from pipeline.sample.film import Scene

VERSION = 6
"""Raise it when any byte of the sample can change."""

SECONDS = 5.28
"""Of each full-length source: a clip of it still holds two windows of 64 frames after a pause at the start."""

LICENCE = "CC0-1.0"
SOURCE_COLUMNS = ("locator", "speaker", "speech_type", "licence", "title", "language")
DONE = "sample.json"

logger = logging.getLogger(__name__)


def make_sample(folder: Path, *, seconds: float = SECONDS, workers: int = 2) -> Path:
    """Make the built-in sample in `folder` and return the path of its sources.csv.

    seconds: length of each full-length source, at least 5. The files are the same bytes each time
    on one CPU class and one set of library versions. A complete folder of the same version and
    length is left as it is; a file appears under its name only when it is whole, and `sample.json`,
    which names every file's SHA-256, is written last. Raises ValueError for fewer than 5 s or
    fewer than one worker.
    """
    if seconds < 5.0:
        raise ValueError(f"seconds is {seconds:g}; a kept clip needs at least 5")
    if workers < 1:
        raise ValueError(f"workers is {workers}; at least 1 is needed")
    folder = Path(folder)
    if is_complete(folder, seconds=seconds):
        return folder / "sources.csv"
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    plan = faults.sources(seconds)
    contents = faults.files(_render(faults.scenes(seconds), workers), seconds)
    contents["sources.csv"] = source_table(plan).encode()
    contents["truth.tsv"] = truth_table([source.truth for source in plan]).encode()
    for name, content in contents.items():
        write_whole(folder / name, content)
    digests = {name: sha256(content).hexdigest() for name, content in sorted(contents.items())}
    done = {"version": VERSION, "seconds": seconds, "sha256": digests}
    write_whole(folder / DONE, (json.dumps(done, indent=1) + "\n").encode())
    logger.info("sample made: %d files, %.1f s", len(contents), time.monotonic() - started)
    return folder / "sources.csv"


def is_complete(folder: Path, *, seconds: float) -> bool:
    """Whether the folder holds this version of the sample at this length, every byte of it."""
    try:
        done = json.loads((folder / DONE).read_text())
        digests: dict[str, str] = done["sha256"]
        if (done["version"], done["seconds"]) != (VERSION, seconds):
            return False
        return all(
            sha256((folder / name).read_bytes()).hexdigest() == digest
            for name, digest in digests.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _render(films: dict[str, Scene], workers: int) -> dict[str, bytes]:
    if workers == 1:
        return {name: film.render(scene) for name, scene in films.items()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        tasks = {name: pool.submit(film.render, scene) for name, scene in films.items()}
        return {name: task.result() for name, task in tasks.items()}


def source_table(plan: tuple[Source, ...]) -> str:
    """sources.csv: one row per file, locators relative to the table."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SOURCE_COLUMNS)
    for source in plan:
        take = source.take
        table.writerow([
            source.truth.file, take.person.name, take.speech_type, LICENCE, take.title,
            take.person.language,
        ])  # fmt: skip
    return text.getvalue()


def truth_table(rows: list[Truth]) -> str:
    """truth.tsv: what is planted in each file, and what a run should say about it."""
    lines = ["\t".join(field.name for field in fields(Truth))]
    for row in rows:
        cells = (f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in astuple(row))
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"
