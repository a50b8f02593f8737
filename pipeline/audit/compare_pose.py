"""`csg-data compare-pose`: every installed pose backend on the same pictures of the user's clips, decoded once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from rich.console import Group
from rich.table import Table

from manifests import keypoints as kp
from manifests.errors import UserError
from manifests.geometry import crop_affine
from manifests.record import Box
from pipeline.audit.doctor import made, without_damaged
from pipeline.config import Run
from pipeline.media.decode import Count, span
from pipeline.media.probe import MediaError, probe
from pipeline.perception.faces import FaceDetector, FaceFinder
from pipeline.perception.people import PersonDetector
from pipeline.perception.pose import PoseBackend
from pipeline.perception.pose.comparison import Agreement, Comparison, Quarter
from pipeline.perception.pose.onnx import OnnxPose
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Kind
from pipeline.stages.s070_pose import moved, picture_size

LOOK_EVERY = 25
"""Frames between two looks for the face that says whom to follow."""
BATCH = 8

Backends = dict[str, PoseBackend]
Say = Callable[[str], None]
Look = tuple[UInt8[np.ndarray, "h w 3"], Box | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it. backends: by the name in the tables; absent: each other one, and how to get it."""

    backends: Backends
    absent: dict[str, str]
    comparison: Comparison
    clips: tuple[str, ...]


def compare(run: Run, models: Sequence[Path], *, frames: int, say: Say) -> Compared:
    """Run every installed pose backend, and further ONNX models, over the first frames of each clip.

    say: is told each clip that cannot be used. Raises UserError where none can.
    """
    backends, absent = installed(run, models)
    valid_from = {name: backend.valid_from for name, backend in backends.items()}
    comparison, clips = Comparison(valid_from), list[str]()
    find = FaceDetector().load()
    for located in read_sources(run.sources):
        if located.address.kind is not Kind.LOCAL:
            say(f"left out: {located.locator} is not on this machine")
            continue
        try:
            poses = poses_of(Path(located.address.path), backends, find, run, frames)
        except (MediaError, OSError) as error:
            say(f"left out: {located.locator}: {error}")
            continue
        if comparison.add(poses):
            clips.append(located.locator)
        else:
            say(f"left out: {located.locator}: no backend found both shoulders")
    if not clips:
        raise UserError(f"compare-pose: no clip of {run.sources} can be used")
    return Compared(backends, absent, comparison, tuple(clips))


def installed(run: Run, models: Sequence[Path]) -> tuple[Backends, dict[str, str]]:
    """The backends that work here, and what the others lack. Raises UserError for a model that cannot run."""
    backends, absent = Backends(), dict[str, str]()
    for kind, one, _ in made(without_damaged(run)):
        if kind != "pose" or not isinstance(one, PoseBackend):
            continue
        if (lacks := one.missing()) is None:
            backends[one.name] = one
        else:
            absent[one.name] = lacks
    device, detector = run.pose.device, run.with_backends().pose.detector
    people = PersonDetector(detector, device=device) if detector else None
    for file in models:
        model = OnnxPose(file, people=people, device=device)
        if (lacks := model.missing()) is not None:
            raise UserError(f"compare-pose: {file} cannot run: {lacks}")
        if file.stem in backends:
            raise UserError(f"compare-pose: two models are called {file.stem}")
        backends[file.stem] = model
    return backends, absent


def poses_of(
    file: Path, backends: Backends, find: FaceFinder, run: Run, frames: int
) -> dict[str, Float32[np.ndarray, "frame 133 3"]]:
    """The poses in the first frames of a clip by backend. Raises MediaError, OSError."""
    looks = looks_of(file, find, run.pose.longest_side, frames)
    found: dict[str, list[np.ndarray]] = {name: [] for name in backends}
    with ExitStack() as stack:
        trackers = {name: stack.enter_context(each.track()) for name, each in backends.items()}
        while some := list(islice(looks, BATCH)):
            images, faces = zip(*some, strict=True)
            for name, tracker in trackers.items():
                found[name].append(tracker.many(images, faces))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def looks_of(file: Path, find: FaceFinder, longest_side: int, frames: int) -> Iterator[Look]:
    """Whole pictures at 25 FPS, no longer than a side, with the largest face at the last look."""
    facts = probe(file)
    width, height = facts.upright_size
    whole: Box = (0.0, 0.0, float(width), float(height))
    size = picture_size(whole, longest_side)
    shrink = crop_affine(whole, size)
    face: Box | None = None
    stop = min(frames, facts.grid_frames)
    shown = span(file, facts, facts.timeline, start=0, stop=stop, count=Count())
    for number, (_, picture) in enumerate(shown):
        if number % LOOK_EVERY == 0:
            boxes = [one.box for one in find(picture.rgb())]
            largest = max(boxes, key=lambda box: box[3], default=None)
            face = face if largest is None else moved(largest, shrink)
        yield picture.cut(whole, size), face


# ---- in words --------------------------------------------------------------------------------------------------------


def tables(found: Compared) -> Group:
    """Coverage by backend, then each pair by group of joints."""
    clips, frames = len(found.clips), found.comparison.frames
    what = f"joints found, as a fraction of those in {frames} frames of {clips} clips"
    parts: list[str | Table] = [what, coverage_table(found)]
    agreements = list(found.comparison.agreements())
    if agreements:
        how = "by confidence: median of each quarter of the joints, the least confident first"
        parts += ["", f"distance in shoulder widths; {how}", pair_table(agreements)]
    return Group(*parts)


def coverage_table(found: Compared) -> Table:
    """The fraction of joints found."""
    drawn = Table(box=None, pad_edge=False)
    for name in ("backend", *kp.GROUPS):
        drawn.add_column(name, justify="right" if name in kp.GROUPS else "left")
    for backend, shares in found.comparison.coverage().items():
        drawn.add_row(backend, *(f"{shares[group]:.2f}" for group in kp.GROUPS))
    return drawn


def pair_table(agreements: Sequence[Agreement]) -> Table:
    """Distances, and how they fall with each one's confidence."""
    drawn = Table(box=None, pad_edge=False)
    for name in ("pair", "group"):
        drawn.add_column(name)
    for name in ("joints", "median", "95 %", "by the first's confidence", "by the second's"):
        drawn.add_column(name, justify="right")
    for each in agreements:
        drawn.add_row(
            " – ".join(each.pair),
            each.group,
            str(each.joints),
            number(each.median),
            number(each.p95),
            *(" ".join(number(q.median) for q in side) for side in each.by_confidence),
        )
    return drawn


def number(value: float | None) -> str:
    """A distance; nothing where there is none."""
    return "" if value is None else f"{value:.3f}"


def to_json(found: Compared) -> dict[str, object]:
    """Everything as plain data."""
    coverage = found.comparison.coverage()
    return {
        "clips": list(found.clips),
        "frames": found.comparison.frames,
        "unit": "shoulder widths",
        "backends": {
            name: {
                "version": one.version,
                "weights": one.weights,
                "valid_from": one.valid_from,
                "coverage": coverage[name],
            }
            for name, one in found.backends.items()
        },
        "absent": found.absent,
        "pairs": [pair_facts(each) for each in found.comparison.agreements()],
    }


def pair_facts(each: Agreement) -> dict[str, object]:
    """One row of the table as plain data."""
    sides: zip[tuple[str, tuple[Quarter, ...]]] = zip(each.pair, each.by_confidence, strict=True)
    return {
        "pair": list(each.pair),
        "group": each.group,
        "joints": each.joints,
        "median": each.median,
        "p95": each.p95,
        "by_confidence": {name: [asdict(one) for one in side] for name, side in sides},
    }
