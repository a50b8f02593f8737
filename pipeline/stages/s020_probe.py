"""Probe: streams, size, time base and timeline of a source, by demuxing it once and decoding one frame."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from manifests.record import Media, Source, Why
from pipeline.stage import need
from pipeline.store import Store
from pipeline.verdict import Refusal


@dataclass(frozen=True, slots=True)
class Probe:
    """What the file says of itself. Refuses what is not media, has no video, or has no frame that decodes."""

    name: ClassVar = "probe"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"fetched"})
    writes: ClassVar = "media"

    def __call__(self, source: Source, store: Store, /) -> Source:
        from pipeline.media.probe import MediaError, NotMedia, NoVideo, probe

        reasons = {NotMedia: Why.NOT_MEDIA, NoVideo: Why.NO_VIDEO}
        try:
            probed = probe(Path(need(source.fetched, "fetched").path))
        except MediaError as error:
            raise Refusal(reasons.get(type(error), Why.UNDECODABLE), str(error)) from error
        facts = {field.name: getattr(probed, field.name) for field in dataclasses.fields(probed)}
        return source.model_copy(
            update={
                "media": Media.model_validate(
                    {**facts, "timeline": store.put_array(probed.timeline)}
                )
            }
        )
