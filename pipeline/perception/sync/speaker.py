"""Which of the visible people speaks a voice, at which offset, how sure: a decision over scores, or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.perception.sync.interface import SyncScore


@dataclass(frozen=True, slots=True)
class Speaker:
    """The person who speaks. person: place among the scores; lead: by how much their `speaking` is ahead of the next.

    offset: frames by which the voice is late against this person's picture, None where the backend is not sure of it.
    """

    person: int
    lead: float
    offset: int | None


def speaker_of(
    scores: Sequence[SyncScore], *, lead_from: float, offset_from: float | None = None
) -> Speaker | None:
    """The person whose score for one voice is ahead of all others by `lead_from` or more; None: not sure.

    scores: of one backend, one per visible person, same voice and same span; a person alone is compared with 0, the
    score of lips at rest. offset_from: confidence from which an offset is used, None: never. Raises
    ValueError without a score.
    """
    if not scores:
        raise ValueError("choosing a speaker needs one score, got 0")
    ranked = sorted(range(len(scores)), key=lambda one: -scores[one].speaking)
    first = scores[ranked[0]]
    lead = first.speaking - (scores[ranked[1]].speaking if len(ranked) > 1 else 0.0)
    if lead < lead_from:
        return None
    sure = offset_from is not None and first.confidence >= offset_from
    return Speaker(person=ranked[0], lead=lead, offset=first.offset if sure else None)
