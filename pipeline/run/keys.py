"""The keys of the ledger: hashes of everything that a stage's result depends on."""

from collections.abc import Iterator, Sequence
from typing import get_args

from pydantic import BaseModel

from manifests.record import Blob, Clip, Source
from pipeline.stage import StageFacts, SurveyStage, digest, fingerprint, need


def key_of(stage: StageFacts, subject: Source | Clip) -> str:
    """Hash of what a stage's result on a subject depends on: the bytes, the sections it reads, and the stage itself."""
    reads = {
        name: section.model_dump(mode="json")
        for name in sorted(stage.reads - {"fetched"})
        if isinstance(section := getattr(subject, name), BaseModel)
    }
    return digest({"content": content_of(subject), "stage": fingerprint(stage), "reads": reads})


def survey_keys(source: Source, stages: Sequence[SurveyStage]) -> list[str]:
    """The key of each survey stage; it holds the stages before it, whose sections it may read."""
    media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
    facts = {"content": fetched.sha256, "media": media.model_dump(mode="json")}
    marks = [fingerprint(stage) for stage in stages]
    return [digest({**facts, "stages": marks[: end + 1]}) for end in range(len(marks))]


def content_of(subject: Source | Clip) -> str:
    """SHA-256 of the media bytes behind a subject."""
    if isinstance(subject, Clip):
        return subject.origin.sha256
    return subject.fetched.sha256 if subject.fetched else ""


def section_type(subject: Source | Clip, name: str) -> type[BaseModel]:
    """The model class of a section: the `X` of `X | None`."""
    annotation = type(subject).model_fields[name].annotation
    return next(kind for kind in get_args(annotation) if issubclass(kind, BaseModel))


def blobs(section: BaseModel) -> Iterator[Blob]:
    """Every blob a section refers to, at any depth of nested records."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Blob):
            yield value
        elif isinstance(value, BaseModel):
            yield from blobs(value)
