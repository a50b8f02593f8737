"""The filters of the dataset, as a table: measurement, threshold, unit, reason, and where the number is from.

Read this second, after `flow.py`. The rules stand in the order of the flow; a subject is dropped for the first that it
fails, though all that its stages have measured are on record. A threshold is data: a run's settings may move it by the
reason's name (`rules: {static: 0.06}`), and no pixel is read again for that.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Literal

from pydantic import BaseModel

from manifests.errors import UserError
from manifests.record import Why
from pipeline.weights import KNOWN

Comparator = Literal[">=", "<="]
PUBLISHED = {weights.name: weights.sha256 for weights in KNOWN}
"""The SHA-256 of the weights that a backend of published weights was proven with, by its name."""


class RuleError(UserError):
    """A setting names a rule or a threshold that cannot be."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One filter.

    measurement: dotted name in the record, `section.field`; stage: who writes that section; proven: the backends for
    which the filter was shown to drop real footage with the fault edited in and not the same footage without it (of
    what it drops 0.99 has the fault; "*": all), or for which nothing has to be shown, since the number is counted and
    not estimated. For any other backend the verdict is `unknown`, which acts on nothing. misses: what passes all the
    same, where less than 0.97 of the faults are dropped, too few people say so, or a threshold set on other people does
    worse. docs/truth.md has the cases, and what thresholds are worth on people they were not set on. training_only:
    what it would drop is kept for training only, as the setting of that name says.
    """

    why: Why
    stage: str
    measurement: str
    comparator: Comparator
    threshold: float
    unit: str
    source: str
    proven: tuple[str, ...] = ()
    misses: str = ""
    training_only: bool = False

    @property
    def section(self) -> str:
        return parts(self.measurement)[0]

    def value(self, section: BaseModel) -> float | None:
        """The measured number in a section of the record; None where there was nothing to measure it by."""
        value: object = reduce(getattr, parts(self.measurement)[1:], section)
        return float(value) if isinstance(value, NUMBER) else None

    def passes(self, value: float | None) -> bool:
        """Whether the rule keeps. What could not be measured (no shoulder ever seen) is not kept."""
        if value is None:
            return False
        return value >= self.threshold if self.comparator == ">=" else value <= self.threshold

    @property
    def proven_text(self) -> str:
        """For which backends it acts, and what it misses, in words."""
        where = "all backends" if "*" in self.proven else ", ".join(self.proven) or "none: unproven"
        return f"{where}; misses {self.misses}" if self.misses else where

    def proven_for(self, backend: str, weights: str | None = None) -> bool:
        """Whether the rule acts on what a backend measures. weights: SHA-256; None: those it was proven with.

        A backend of published weights is proven with these alone, not with weights of one's own.
        """
        own = weights is not None and weights != PUBLISHED.get(backend, weights)
        return "*" in self.proven or (backend in self.proven and not own)


NUMBER = (int, float)


@lru_cache(maxsize=256)
def parts(measurement: str) -> tuple[str, ...]:
    """A dotted name as its parts; a run asks this of a few names a million times."""
    return tuple(measurement.split("."))


COUNTED = ("*",)
"""The number is read from the file or from our own geometry: no backend estimates it."""
ON_FACES = ("*",)
"""Shown with the one face detector that there is."""
ON_MEDIAPIPE = ("mediapipe",)
ON_SILERO = ("embedded", "segmentation")
"""Both hear voices with silero; shown with the first."""
ON_LIPS = ("embedded", "light-asd")
ON_EMBEDDED_SHOTS = ("embedded",)

SOURCE_RULES: tuple[Rule, ...] = (
    Rule(
        Why.NO_AUDIO, "probe", "media.audible_frames", ">=", 1, "frames", "a voice is needed",
        proven=COUNTED,
    ),
    Rule(
        Why.TOO_SHORT, "probe", "media.grid_frames", ">=", 125, "frames at 25 FPS",
        "5 s: Yang et al. 2025, section 3.2", proven=COUNTED,
    ),
    Rule(
        Why.FRAME_TOO_SMALL, "probe", "media.short_side", ">=", 256, "pixels",
        "a 512 crop enlarged twice at most (rule enlarged_too_much)", proven=COUNTED,
    ),
    Rule(
        Why.FRAMES_MISSING,
        "probe",
        "media.longest_gap",
        "<=",
        1.0,
        "seconds between two frames",
        "no gesture is seen in a second without a picture; guards against damaged timestamps", proven=COUNTED,
    ),
    Rule(
        Why.NO_SPEECH, "speech", "speech.voiced_frames", ">=", 1, "frames",
        "a voice is needed; docs/truth.md", proven=ON_SILERO,
        misses="1 in 7 with the voice cut out, where remains of it are heard",
    ),
    Rule(
        Why.NOBODY, "people", "people.seen", ">=", 1, "faces",
        "nobody to follow; docs/truth.md", proven=ON_FACES,
    ),
)  # fmt: skip

CLIP_RULES: tuple[Rule, ...] = (
    Rule(
        Why.OVERLAPPED_SPEECH, "spans", "speech.overlap", "<=", 0.1, "ratio",
        "Yang et al. 2025, section 3.2, names the filter; the number: docs/truth.md", proven=("segmentation",),
        misses="some second voices: recall 0.80 at 0 to 15 dB below the first, 0.98 to 6 dB; a number set on half of "
        "the people drops 1 in 7 single voices of the others",
    ),
    Rule(
        Why.MUSIC, "spans", "speech.music", "<=", 0.5, "ratio",
        "no number is published; of music as loud as the voice it finds half: docs/truth.md", proven=(),
    ),
    Rule(
        Why.TOO_SMALL, "spans", "person.face_height", ">=", 0.065, "ratio of the frame height",
        "between what the halves of the people ask for, 0.063 and 0.068: docs/truth.md", proven=ON_FACES,
        misses="3 in 100 pasted at 0.03 to 0.05 of the height, of one person, where the number is set on other people",
    ),
    Rule(
        Why.CLOSE_UP,
        "spans",
        "person.face_height",
        "<=",
        0.4,
        "ratio of the frame height",
        "no room for shoulders and elbows; docs/truth.md", proven=ON_FACES,
    ),
    Rule(
        Why.FACE_TURNED, "spans", "person.facing", ">=", 0.6, "ratio: 1 frontal, 0 profile",
        "nobody from the front is below, as for side_view: docs/truth.md", proven=ON_FACES,
        misses="1 in 4 looks of 2 s at the only two people in profile, all at one of them; side_view asks again",
    ),
    Rule(
        Why.FROZEN,
        "spans",
        "shot.change",
        ">=",
        4.0,
        "grey levels",
        "one picture under grain 2 at most, people in view 11 and more: docs/truth.md", proven=ON_EMBEDDED_SHOTS,
    ),
    Rule(
        Why.LOW_PICTURE_RATE,
        "spans",
        "shot.new_pictures",
        ">=",
        12.0,
        "new pictures per second",
        "an arm swings at 6 Hz at most, and footage has 10 or 12.5: docs/truth.md", proven=ON_EMBEDDED_SHOTS,
        misses="some at 10 and fewer: recall 0.92; strong compression makes held pictures look new",
    ),
    Rule(
        Why.NO_POSE, "pose", "pose.found", ">=", 0.8, "ratio of frames",
        "a body is invented below a face without one; upper_body_missing drops what is not found: docs/truth.md",
        proven=(),
    ),
    Rule(
        Why.UPPER_BODY_MISSING, "posture", "posture.upper_body", ">=", 0.5, "ratio of frames",
        "docs/truth.md", proven=ON_MEDIAPIPE,
    ),
    Rule(
        Why.BACK_VIEW, "posture", "posture.shoulder_facing", ">=", 0.0, "ratio; negative from behind",
        "one real clip only: docs/truth.md", proven=(),
    ),
    Rule(
        Why.SIDE_VIEW, "posture", "posture.facing", ">=", 0.6, "ratio: 1 frontal, 0 profile",
        "docs/truth.md", proven=ON_MEDIAPIPE,
        misses="nothing of 42 cases, which are of two people only",
    ),
    Rule(
        Why.FACE_HIDDEN, "posture", "posture.face_seen", ">=", 0.5, "ratio of frames",
        "docs/truth.md", proven=ON_MEDIAPIPE,
    ),
    Rule(
        Why.STATIC, "posture", "posture.stillness", ">=", 0.035, "shoulder widths in 0.8 s",
        "docs/truth.md", proven=ON_MEDIAPIPE,
        misses="1 in 16 still pictures, in which joints tremble; frozen_picture drops those",
    ),
    Rule(
        Why.NOT_SPEAKER, "sync", "sync.speaking", ">=", 0.0, "the backend's own score",
        "below 0 the voice is not this mouth's, or the lips are at rest: docs/truth.md", proven=ON_LIPS,
        misses="2 in 5 foreign voices over a talking mouth, in clips of 5 s; with embedded 1 in 4 faces at rest",
    ),
    Rule(
        Why.OUT_OF_SYNC, "sync", "sync.apart", "<=", 2.0, "frames, where sure",
        "sound up to 90 ms early is accepted (ITU-R BT.1359-1, annex 1); what could be moved was", proven=ON_LIPS,
        misses="what is off by more than 15 frames, and 1 clip in 4 to 1 in 2 whose offset is not sure",
    ),
    Rule(
        Why.OUTSIDE_FRAME, "framing", "framing.outside", "<=", 0.45, "ratio of the box",
        "an upright 9:16 video shown whole has 0.4375", proven=COUNTED,
    ),
    Rule(
        Why.ENLARGED, "framing", "framing.enlarged", "<=", 2.0, "crop pixels per source pixel",
        "a 512 crop of a 256 box", proven=COUNTED,
    ),
)  # fmt: skip

RULES = SOURCE_RULES + CLIP_RULES


def with_thresholds(rules: tuple[Rule, ...], thresholds: Mapping[str, float]) -> tuple[Rule, ...]:
    """The rules with some thresholds moved, by the name of their reason. Raises RuleError for an unknown name."""
    for name in thresholds:
        check_name("rules", name, RULES)
    return tuple(
        replace(rule, threshold=thresholds[str(rule.why)]) if str(rule.why) in thresholds else rule
        for rule in rules
    )


ON_VIEW = frozenset({"person", "posture", "framing"})
"""Sections that say how a person is seen: what fails there may still show a mouth that speaks its voice."""


def with_training_only(rules: tuple[Rule, ...], names: Collection[str]) -> tuple[Rule, ...]:
    """The rules, of which some keep what they would drop, for training only. names: of their reasons.

    Raises RuleError for a name that is no rule's, or of a rule that is not about how the person is seen.
    """
    allowed = [rule for rule in RULES if rule.section in ON_VIEW]
    for name in names:
        check_name("training_only", name, RULES)
        if name not in {str(rule.why) for rule in allowed}:
            raise RuleError(
                f"training_only: {name} is not about how the person is seen; allowed are "
                + ", ".join(str(rule.why) for rule in allowed)
            )
    return tuple(
        replace(rule, training_only=True) if str(rule.why) in names else rule for rule in rules
    )


def check_name(setting: str, name: str, rules: Iterable[Rule]) -> None:
    """Raises RuleError, with the name that was meant, where no rule has this one."""
    known = [str(rule.why) for rule in rules]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise RuleError(
            f"{setting}: no rule is called {name!r}; {hint}there are {', '.join(known)}"
        )
