"""The one low-resolution decode of a source, watched by every survey stage at once."""

from collections.abc import Sequence
from pathlib import Path

from manifests.record import People, Shots, Source
from pipeline.media.decode import Count
from pipeline.media.decode import survey as decode
from pipeline.run.ledger import Ledger
from pipeline.stage import SurveyStage, digest, fingerprint, need
from pipeline.store import Store

SECTIONS = {"shots": Shots, "people": People}


def survey(
    source: Source, stages: Sequence[SurveyStage], store: Store, ledger: Ledger, count: Count
) -> Source:
    """The source with every survey stage's section; decodes once, or not at all."""
    held = held_survey(source, stages, ledger)
    if held is not None:
        return held
    media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
    watchers = [stage.watch(source, store) for stage in stages]
    timeline = store.read_timeline(media)
    for picture in decode(Path(fetched.path), media, timeline, count=count):
        for watcher in watchers:
            watcher.see(picture)
    for watcher, stage, key in zip(watchers, stages, keys(source, stages), strict=True):
        source = watcher.finish(source)
        ledger.put(key, section=getattr(source, stage.writes), refusal=None)
    return source


def held_survey(source: Source, stages: Sequence[SurveyStage], ledger: Ledger) -> Source | None:
    """The source with its survey sections from the ledger, or None where one is missing."""
    sections: dict[str, Shots | People] = {}
    for stage, key in zip(stages, keys(source, stages), strict=True):
        entry = ledger.get(key)
        if entry is None:
            return None
        sections[stage.writes] = SECTIONS[stage.writes].model_validate(entry.section)
    return source.model_copy(update=sections)


def keys(source: Source, stages: Sequence[SurveyStage]) -> list[str]:
    """The ledger key of each stage; it holds the stages before it, whose sections it may read."""
    media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
    facts = {"content": fetched.sha256, "media": media.model_dump(mode="json")}
    return [
        digest({**facts, "stages": marks})
        for marks in prefixes([fingerprint(stage) for stage in stages])
    ]


def prefixes(items: list[str]) -> list[list[str]]:
    """[a], [a, b], [a, b, c] ..."""
    return [items[: end + 1] for end in range(len(items))]
