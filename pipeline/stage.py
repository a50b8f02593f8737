"""What a stage is: a frozen dataclass that measures one thing and writes one section of the record, and never drops.

Three kinds, by what a stage is called on:

- a *source* stage is called on a source (fetch, probe, speech);
- a *survey* stage watches the one low-resolution decode of a source (shots, people);
- a *span* stage is called on one candidate, with the frames of its one decode (pose, posture, sync, framing, crop).

Where the flow turns a source into candidates (spans), looks at all clips together (identity, split) or makes files of
them (pack), its stage has a signature of its own.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from manifests.record import Clip, Source
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.media.picture import Picture  # the libraries behind it are slow to import

Section = TypeVar("Section", bound=BaseModel)


class MissingSection(RuntimeError):
    """A stage was called before the stage that writes what it reads."""


@runtime_checkable
class Named(Protocol):
    """What every stage is called, and its version, raised when a measurement can change."""

    name: ClassVar[str]
    version: ClassVar[int]


@runtime_checkable
class StageFacts(Named, Protocol):
    """What every stage that writes a section states about itself."""

    reads: ClassVar[frozenset[str]]
    writes: ClassVar[str]


@runtime_checkable
class SourceStage(StageFacts, Protocol):
    """Called on one source."""

    def __call__(self, source: Source, store: Store, /) -> Source: ...


@runtime_checkable
class Watcher(Protocol):
    """Takes the survey's pictures in order, then returns the source with its section."""

    def add(self, picture: "Picture", /) -> None: ...

    def finish(self, source: Source, /) -> Source: ...


@runtime_checkable
class SurveyStage(StageFacts, Protocol):
    """Watches the survey decode of one source."""

    def watch(self, source: Source, store: Store, /) -> Watcher: ...


@runtime_checkable
class Frames(Protocol):
    """The frames of one candidate; the first pass over them is its one decode."""

    store: Store
    source: Source

    def __iter__(self) -> Iterator[tuple[int, "Picture"]]: ...

    def faces(self) -> NDArray[np.uint8] | None: ...

    def margin(self, wanted: int) -> int: ...

    def has_sound(self, *, shift: int) -> bool: ...

    def sound(self, *, margin: int = 0, shift: int = 0) -> NDArray[np.int16]: ...

    def full_sound(self, *, sample_rate: int, shift: int = 0) -> NDArray[np.int16]: ...


@runtime_checkable
class SpanStage(StageFacts, Protocol):
    """Called on one candidate."""

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip: ...


Stage = SourceStage | SurveyStage | SpanStage


def need(section: Section | None, name: str) -> Section:
    """The section, or MissingSection with its name: the border check of every stage."""
    if section is None:
        raise MissingSection(
            f"this stage reads the section {name!r}, which no stage has written yet"
        )
    return section


def fingerprint(stage: StageFacts) -> str:
    """Hash of all that can change a stage's result: name, version, parameters, backend and its weights."""
    return digest({"stage": stage.name, "version": stage.version, "parameters": describe(stage)})


PLACES = ("at", "path")
"""Fields of a backend that say where the file lies that its `weights` is the hash of."""


def describe(thing: object) -> object:
    """A value as plain data for hashing; dataclasses by class name, fields, and their backend facts.

    Where weights lie is left out: a file that is moved, or lies elsewhere on another machine, changes no result.
    """
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        facts = {f.name: describe(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
        if isinstance(getattr(thing, "weights", None), str):
            facts.update((name, None) for name in PLACES if name in facts)
        for fact in ("name", "version", "weights", "sure_from"):
            if isinstance(value := getattr(thing, fact, None), str | int | float):
                facts.setdefault(fact, value)
        return {"class": type(thing).__name__, **facts}
    if isinstance(thing, BaseModel):
        return thing.model_dump(mode="json")
    if isinstance(thing, tuple | list):
        return [describe(item) for item in thing]
    if isinstance(thing, dict):
        return {str(key): describe(item) for key, item in thing.items()}
    if thing is None or isinstance(thing, str | int | float | bool):
        return thing
    return str(thing)


def digest(value: object) -> str:
    """SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
