"""What is on record and nothing else: the means by which a run knows what is left, and its plan what would be."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from manifests.record import Clip, Source
from pipeline.flow import SURVEY, Flow
from pipeline.run.entry import Entry
from pipeline.run.keys import blobs, key_of, section_type, survey_keys
from pipeline.run.ledger import Ledger
from pipeline.run.walk import NotYet
from pipeline.sources.locators import Located
from pipeline.stage import SourceStage, SpanStage, StageFacts
from pipeline.store import Store
from pipeline.verdict import Refusal

Subject = TypeVar("Subject", Source, Clip)


@dataclass(slots=True)
class Recorded:
    """Sections from the ledger whose blobs are in the store; NotYet for any other. Measures and fetches nothing."""

    flow: Flow
    ledger: Ledger
    store: Store

    def fetch(self, located: Located, source: Source, /) -> Source:
        fetched = self.flow.fetch.recorded(located, self.store)
        if fetched is None:
            raise NotYet(self.flow.fetch.name, source)
        return source.model_copy(update={"fetched": fetched})

    def measure_source(self, stage: SourceStage, source: Source, /) -> Source:
        return self._found(stage, source, self.ledger.get(key_of(stage, source)), stage.name)

    def measure_clip(self, stage: SpanStage, clip: Clip, /) -> Clip:
        return self._found(stage, clip, self.ledger.get(key_of(stage, clip)), stage.name)

    def survey(self, source: Source, /) -> Source:
        found = source
        stages = self.flow.on_survey
        for stage, key in zip(stages, survey_keys(source, stages), strict=True):
            try:
                found = self._found(stage, found, self.ledger.get(key), SURVEY)
            except NotYet as missing:
                raise NotYet(SURVEY, source) from missing  # one decode makes them all
        return found

    def _found(
        self, stage: StageFacts, subject: Subject, entry: Entry | None, name: str
    ) -> Subject:
        """The subject with the section of an entry. A section that does not fit its record is made again."""
        if entry is None:
            raise NotYet(name, subject)
        if entry.refusal is not None:
            raise Refusal(*entry.refusal)
        try:
            section = section_type(subject, stage.writes).model_validate(entry.section)
        except ValidationError:
            raise NotYet(name, subject) from None
        if not self._stored(section):
            raise NotYet(name, subject)
        return subject.model_copy(update={stage.writes: section})

    def _stored(self, section: BaseModel) -> bool:
        return all(self.store.has(blob) for blob in blobs(section))
