"""What works on this machine, what is missing and how to get it, and which filters are proven."""

import importlib.util
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Group
from rich.table import Table

from pipeline import flow
from pipeline.backends import ORDER
from pipeline.config import Run
from pipeline.fetching import web_missing
from pipeline.perception import pose, shots, speech, sync
from pipeline.perception.faces import FaceDetector
from pipeline.perception.shots import ShotDetector
from pipeline.rules import RULES
from pipeline.stages.s090_sync import MeasureSync
from pipeline.weights import WeightsError, faults, folder, taken_by

State = Literal["works", "missing", "unproven", "partly", "proven"]
COLOURS: dict[State, str] = {
    "works": "green",
    "proven": "green",
    "missing": "yellow",
    "unproven": "yellow",
    "partly": "yellow",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table."""

    part: str
    name: str
    state: State
    note: str


def findings(run: Run) -> list[Finding]:
    """Everything the doctor looks at, nothing of it changed."""
    taken = without_damaged(run)
    chosen = [*backends(taken), *filters(taken), *corrections(taken)]
    return [*machine(), *damaged(), *chosen]


def without_damaged(run: Run) -> Run:
    """The run as it would start; where weights are damaged, with which no run begins, as if they were not there."""
    try:
        return run.with_backends()
    except WeightsError:
        return run.model_copy(
            update={
                kind: section.model_copy(update={"backend": ORDER[kind][-1], "weights": None})
                for kind, section in (("speech", run.speech), ("sync", run.sync))
                if section.weights is None
            }
        )


def damaged() -> Iterator[Finding]:
    """Files in the folder of weights that are not the pinned ones."""
    for weights, fault in faults():
        yield Finding("weights", weights.name, "missing", fault)


def machine() -> Iterator[Finding]:
    """The interpreter, the libraries that decode and encode, YouTube's needs, a GPU."""
    yield Finding("machine", "python", "works", platform.python_version())
    for package in ("av", "imageio-ffmpeg", "onnxruntime", "torch", "distributed"):
        yield Finding("machine", package, *installed(package))
    web = web_missing()
    yield Finding(
        "machine",
        "youtube",
        "works" if web is None else "missing",
        web or "yt-dlp has what it needs",
    )
    yield Finding("machine", "s3", *optional("s3fs", "pip install 'cospeech[s3]'"))
    yield gpu()


def gpu() -> Finding:
    """Whether a CUDA device is there; nothing needs one."""
    import torch

    if torch.cuda.is_available():
        return Finding("machine", "gpu", "works", torch.cuda.get_device_name(0))
    return Finding(
        "machine", "gpu", "missing", "no CUDA device; every embedded backend runs on the CPU"
    )


def backends(run: Run) -> Iterator[Finding]:
    """Every perception backend; the chosen ones are marked."""
    for kind, one, chosen in made(run):
        yield backend(kind, one, chosen=chosen)


def made(run: Run) -> Iterator[tuple[str, "Backend", bool]]:
    """Every perception backend by its kind, with the weights that lie here, and whether this run takes it."""
    for name, make in shots.BACKENDS.items():
        yield "shots", make(), name == run.shots.backend
    yield "people", FaceDetector(), True
    kinds = (("speech", speech.BACKENDS, run.speech), ("pose", pose.BACKENDS, run.pose))
    for kind, backends_of, settings in kinds:
        for name, make in backends_of.items():
            if chosen := name == settings.backend:
                yield kind, flow.chosen(backends_of, settings), chosen
            else:
                file = file_of(kind, name)
                yield kind, make() if file is None else make(file), chosen
    for name, make in sync.BACKENDS.items():
        chosen = name == run.sync.backend
        file = run.sync.weights if chosen else file_of("sync", name)
        yield "sync", make(weights=file), chosen


def file_of(kind: str, backend: str) -> Path | None:
    """The weights of a backend in this machine's folder, whatever their bytes; None where there are none."""
    weights = taken_by(f"{kind}.weights", backend)
    return None if weights is None or not (file := folder() / weights.file).is_file() else file


Backend = ShotDetector | FaceDetector | speech.SpeechBackend | pose.PoseBackend | sync.SyncBackend


def backend(kind: str, one: Backend, *, chosen: bool) -> Finding:
    """One backend: what it is, in the first sentence it says of itself, and what every decision by it will carry."""
    lacks = one.missing()
    about = " ".join((type(one).__doc__ or "").split("\n\n")[0].split())
    marks = f"version {one.version}"
    if lacks is None and one.weights is not None:
        marks += f"; weights {one.weights[:12]}"
    note = f"{lacks}. {about}" if lacks else f"{about} {marks}"
    if one.name not in ORDER.get(kind, (one.name,)):
        note += ". Not taken by auto: docs/decisions/0016-auto.md"
    name = f"{one.name}{' (chosen)' if chosen else ''}"
    return Finding(kind, name, "missing" if lacks else "works", note)


def filters(run: Run) -> Iterator[Finding]:
    """Which rules act with the backends of this run, and which would with others."""
    used = flow.measuring(run)
    weights = {"sync": sync.BACKENDS[run.sync.backend](weights=run.sync.weights).weights}
    for rule in RULES:
        name = used.get(rule.section, "")
        if rule.proven_for(name, weights.get(rule.section)):
            where = f"with {name}" if name else "always"
            misses = f"; misses {rule.misses}" if rule.misses else ""
            state: State = "partly" if rule.misses else "proven"
            yield Finding(
                "filter", rule.why, state, f"acts {where}{misses}; number from: {rule.source}"
            )
        else:
            own = " and its published weights" if name in rule.proven else ""
            acts = f"; acts with {', '.join(rule.proven)}{own}" if rule.proven else ""
            note = f"reports unknown and acts on nothing{acts}: {rule.source}"
            yield Finding("filter", rule.why, "unproven", note)


def corrections(run: Run) -> Iterator[Finding]:
    """What is changed in a clip, and from when on."""
    stage = MeasureSync(sync.BACKENDS[run.sync.backend](weights=run.sync.weights))
    state: State = "unproven" if stage.backend.sure_from is None else "partly"
    yield Finding("correction", "audio_offset", state, stage.correction)


def installed(package: str) -> tuple[State, str]:
    """A package that every run needs."""
    try:
        return "works", version(package)
    except PackageNotFoundError:
        return "missing", f"pip install {package}"


def optional(module: str, how: str) -> tuple[State, str]:
    """A module that some runs need."""
    return ("works", "ready") if importlib.util.find_spec(module) else ("missing", how)


def table(found: list[Finding]) -> Group:
    """The findings, one table a part."""
    tables: list[Table] = []
    for part in dict.fromkeys(finding.part for finding in found):
        drawn = Table(box=None, pad_edge=False, title=part, title_justify="left", show_header=False)
        drawn.add_column(min_width=24)
        drawn.add_column(min_width=9)
        drawn.add_column(overflow="fold")
        for finding in found:
            if finding.part == part:
                colour = COLOURS[finding.state]
                drawn.add_row(finding.name, f"[{colour}]{finding.state}[/]", finding.note)
        tables.append(drawn)
    return Group(*tables)
