"""Sets drawn by chance with what their stages would measure, written as a dataset's tables, and decided the slow way:
one object a row, one entry a frame."""

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq

from manifests import tables
from manifests.record import Backend, Clip, Decision, Source, Verdict, Why
from pipeline import flow
from pipeline.audit.account import Account, account, account_whole
from pipeline.audit.standing import Funnel
from pipeline.config import Run
from pipeline.rules import CLIP_RULES, RULES, SOURCE_RULES, Rule
from pipeline.stage import describe
from pipeline.stages.s060_spans import Spans
from pipeline.verdict import OWN, Failed, Refusal, decide, decision, dropped, failed, refused
from tests.examples import clip, source, track

FLOW = flow.build(Run())
VERSIONS = FLOW.versions
JUDGED = {rule.section for rule in CLIP_RULES}
MEASURED = {
    Source: (
        *((stage.writes,) for stage in FLOW.on_source),
        tuple(stage.writes for stage in FLOW.on_survey),
    ),
    Clip: tuple((stage.writes,) for stage in FLOW.on_clip if stage.writes in JUDGED),
}
"""The sections of each kind of record in the order of the flow, those of one decode together."""

Rules = Sequence[Rule]


# ---- the slow path: objects and frames -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Thing:
    """A source or a clip as full measurement finds it.

    fate: `failed`, `late` (dropped by the whole set), or the section at which a stage refuses it.
    """

    subject: Source | Clip
    fate: str = ""

    def seen(self, rules: Rules) -> "Seen":
        """What a run under these rules puts on record: each stage only while no rule drops."""
        subject = self.subject
        steps = MEASURED[type(subject)]
        made = subject.model_copy(update={name: None for names in steps for name in names})
        if self.fate == "failed":
            return Seen(made, failed(made, Failed("x", "pose", "e", "", Why.FAILED), version=1))
        for names in steps:
            if dropped(decide(made, suited(made, rules), VERSIONS)):
                return Seen(made)
            if self.fate == names[0]:
                why = Why.NOT_MEDIA if isinstance(made, Source) else Why.NO_POSE
                return Seen(made, refused(made, Refusal(why, "no"), stage=(names[0], 1)))
            made = made.model_copy(update={name: getattr(subject, name) for name in names})
        late = self.fate == "late" and not dropped(decide(made, suited(made, rules), VERSIONS))
        return Seen(made, by_the_set(made, Why.DUPLICATE) if late else None)


@dataclass(frozen=True)
class Seen:
    """A source or a clip on record, and the row that no rule made, if it has one."""

    subject: Source | Clip
    end: Decision | None = None

    def rows(self, rules: Rules) -> tuple[Decision, ...]:
        if self.end is not None and self.end.verdict is Verdict.FAILED:
            return (self.end,)
        judged = decide(self.subject, suited(self.subject, rules), VERSIONS)
        return judged if self.end is None else (*judged, self.end)

    def why(self, rules: Rules) -> Why | None:
        row = dropped(self.rows(rules))
        return row and row.reason

    @property
    def clip(self) -> Clip:
        assert isinstance(self.subject, Clip)
        return self.subject

    @property
    def whole(self) -> bool:
        return self.clip.framing is not None


Film = tuple[Seen, tuple[Seen, ...]]


def suited(subject: Source | Clip, rules: Rules) -> Rules:
    known = {rule.why for rule in (SOURCE_RULES if isinstance(subject, Source) else CLIP_RULES)}
    return [rule for rule in rules if rule.why in known]


def by_the_set(made: Source | Clip, why: Why) -> Decision:
    return decision(
        made, stage=("identity", 1), backend=OWN, measurement=f"identity.{why}", value=1.0, unit="",
        comparator="<=", threshold=0.0, verdict=Verdict.DROPPED, reason=why,
    )  # fmt: skip


def leftovers(made: Source) -> Iterator[Decision]:
    start = 0
    for why, frames in itertools.groupby(Spans().leftovers(made)):
        stop = start + len(list(frames))
        if why is not None:
            row = decision(
                made, stage=("spans", 1), backend=OWN, measurement=f"spans.{why}", value=1.0, unit="",
                comparator="", threshold=None, verdict=Verdict.DROPPED, reason=why,
            )  # fmt: skip
            yield row.model_copy(update={"start": start, "stop": stop})
        start = stop


def recorded(world: Sequence[tuple[Thing, tuple[Thing, ...]]], rules: Rules) -> list[Film]:
    """What a run under these rules leaves of a world."""
    films = [(thing.seen(rules), clips) for thing, clips in world]
    return [
        (seen, () if seen.why(rules) else tuple(item.seen(rules) for item in clips))
        for seen, clips in films
    ]


@dataclass
class Answer:
    """What `what_if` should say. hoped: the account with all that is to be measured taken for kept."""

    kept: Account = field(default_factory=Account)
    hoped: Account = field(default_factory=Account)
    lost: dict[Why, set[str]] = field(default_factory=lambda: defaultdict(set))
    gained: set[str] = field(default_factory=set)
    unmeasured: set[str] = field(default_factory=set)
    sources_lost: dict[Why, set[str]] = field(default_factory=lambda: defaultdict(set))
    sources_unmeasured: set[str] = field(default_factory=set)

    @property
    def funnel(self) -> Funnel:
        kept, hoped = self.kept, self.hoped
        return Funnel(
            frames=kept.frames,
            kept=kept.kept,
            unmeasured=hoped.kept - kept.kept,
            dropped=hoped.dropped,
            person_frames=kept.person_frames,
            person_kept=kept.person_kept,
            person_unmeasured=hoped.person_kept - kept.person_kept,
            person_dropped=hoped.person_dropped,
        )


def answer(films: Sequence[Film], was: Rules, rules: Rules) -> Answer:
    """Decide and account what is on record. was: the rules under which it was recorded."""
    found = Answer()
    for seen, clips in films:
        before, now = seen.why(was), seen.why(rules)
        source = seen.subject
        assert isinstance(source, Source)
        frames = source.media.grid_frames if source.media else 0
        if before is None and now is not None:
            found.sources_lost[now].add(source.origin.locator)
        if before is not None and now is None:
            found.sources_unmeasured.add(source.origin.locator)
        kept = [(item, settle(found, item, was, rules, now)) for item in clips]
        if before is not None or now is not None:
            found.kept += account_whole(frames, now or Why.FAILED)
            found.hoped += account_whole(frames, now) if now else Account(frames, frames)
            continue
        left = Spans().leftovers(source)
        found.kept += account(left, [(i.clip.span, drop(why or hope)) for i, (why, hope) in kept])
        found.hoped += account(left, [(i.clip.span, drop(why)) for i, (why, _) in kept])
    return found


def settle(
    found: Answer, item: Seen, was: Rules, rules: Rules, source: Why | None
) -> tuple[Why | None, Why | None]:
    """(why a candidate is dropped, some reason where only a measurement can say)."""
    before, now = item.why(was), item.why(rules)
    name = item.clip.id
    if before is None and (source or now):
        found.lost[source or now or Why.FAILED].add(name)
    open_ = before is not None and now is None and not item.whole
    if before is not None and now is None and source is None:
        (found.unmeasured if open_ else found.gained).add(name)
    return now, Why.FAILED if open_ else None


def drop(why: Why | None) -> Decision | None:
    return by_the_set(clip(), why) if why else None


def written(films: Sequence[Film], rules: Rules, folder: Path) -> Path:
    """The files of a dataset that say what was decided."""
    told = answer(films, rules, rules).kept
    rows = [row for seen, clips in films for item in (seen, *clips) for row in item.rows(rules)]
    alive = [seen.subject for seen, _ in films if not seen.why(rules)]
    rows += [row for made in alive if isinstance(made, Source) for row in leftovers(made)]
    columns = dict.fromkeys(tables.SOURCES.names[tables.SOURCES.names.index("frames_kept") :])
    sources = [
        tables.source_row(s.subject, columns) for s, _ in films if isinstance(s.subject, Source)
    ]
    held = [item for _, clips in films for item in clips if not item.why(rules)]
    tables.write(
        [tables.decision_row(row) for row in rows], tables.DECISIONS, folder / "decisions.parquet"
    )
    tables.write(sources, tables.SOURCES, folder / "sources.parquet")
    pq.write_table(pa.table({"id": [item.clip.id for item in held]}), folder / "clips.parquet")
    counts = {
        "frames": told.frames,
        "frames_kept": told.kept,
        "frames_dropped": told.dropped,
        "person_frames": told.person_frames,
        "person_frames_kept": told.person_kept,
        "person_frames_dropped": told.person_dropped,
    }
    facts = {"rules": [describe(rule) for rule in rules], "counts": counts}
    (folder / "dataset.json").write_text(json.dumps(facts))
    return folder


# ---- sets drawn by chance --------------------------------------------------------------------------------------------


def optional(measurement: str) -> bool:
    section, field = measurement.split(".")
    return type(None) in get_args(type(getattr(clip(), section)).model_fields[field].annotation)


OPTIONAL = {rule.measurement for rule in CLIP_RULES if optional(rule.measurement)}


def with_value(made: Clip, measurement: str, value: float | None) -> Clip:
    name, fact = measurement.split(".")
    section = getattr(made, name).model_copy(update={fact: value})
    return made.model_copy(update={name: section})


def any_clip(chance: random.Random, made: Clip) -> Thing:
    """A candidate whose values are good but for some, which lie at a threshold or beside it."""
    example = clip()
    made = made.model_copy(
        update={
            name: getattr(example, name)
            for name in ("shot", "speech", *(name for names in MEASURED[Clip] for name in names))
        }
    )
    made = with_value(with_value(made, "person.face_height", 0.2), "person.facing", 0.9)
    if chance.random() < 0.3:
        made = made.model_copy(
            update={
                "speech": made.speech.model_copy(
                    update={"backend": Backend(name="segmentation", version="1")}
                )
            }
        )
    for rule in CLIP_RULES:
        if chance.random() < 0.07:
            near = [rule.threshold + step for step in (-0.02, -0.01, 0.0, 0.01, 0.02)]
            value = None if chance.random() < 0.2 else chance.choice(near)
            if value is not None or rule.measurement in OPTIONAL:
                made = with_value(made, rule.measurement, value)
    fates = ["failed", "late", *(names[0] for names in MEASURED[Clip])]
    return Thing(made, chance.choice(fates) if chance.random() < 0.1 else "")


def any_film(chance: random.Random, number: int) -> tuple[Thing, tuple[Thing, ...]]:
    """A source of one or two people, mostly good."""
    frames = chance.choice([100, 125, 700, 900, 900])
    middle = chance.randint(0, frames)
    shots = ((0, middle), (middle, frames)) if 0 < middle < frames else ((0, frames),)
    people = chance.choice([0, 1, 1, 2, 2, 2])
    made = source(
        frames,
        turns=chance.choice(
            [(), *[((0, frames),), ((3, frames // 2), (frames // 2, frames - 1))] * 3]
        ),
        shots=chance.choice([shots, ((0, frames),)]),
        tracks=tuple(track(n, range(0, frames, 12), x=200.0 + 500 * n) for n in range(people)),
    )
    assert made.media is not None and made.fetched is not None
    media = {
        "longest_gap": chance.choice([0.04] * 8 + [1.0, 1.02]),
        "upright_size": chance.choice([(1280, 720)] * 8 + [(1280, 250)]),
    }
    made = made.model_copy(
        update={
            "origin": made.origin.model_copy(update={"locator": f"talk-{number}.mp4"}),
            "fetched": made.fetched.model_copy(update={"sha256": f"{number:064x}"}),
            "media": made.media.model_copy(update=media),
        }
    )
    clips = tuple(any_clip(chance, made) for made in Spans()(made))
    fates = ["failed", "media", "speech", "shots"]
    return Thing(made, chance.choice(fates) if chance.random() < 0.1 else ""), clips


def again(film: tuple[Thing, tuple[Thing, ...]]) -> tuple[Thing, tuple[Thing, ...]]:
    """The same bytes under another locator: its clips have the same ids, and are dropped by the set."""
    thing, clips = film
    origin = thing.subject.origin.model_copy(update={"locator": "again.mp4"})
    return replace(thing, subject=thing.subject.model_copy(update={"origin": origin})), tuple(
        Thing(
            item.subject.model_copy(
                update={"origin": item.subject.origin.model_copy(update={"locator": "again.mp4"})}
            ),
            item.fate or "late",
        )
        for item in clips
    )


def any_world(chance: random.Random) -> list[tuple[Thing, tuple[Thing, ...]]]:
    films = [any_film(chance, number) for number in range(chance.randint(1, 5))]
    return [*films, again(films[0])] if chance.random() < 0.3 else films


def any_moves(chance: random.Random, *, tighter: bool = False) -> dict[str, float]:
    """New thresholds of some rules."""
    moves: dict[str, float] = {}
    for rule in chance.sample(RULES, chance.choice([0, 1, 5, len(RULES)])):
        step = chance.choice([0.01, 0.02, 0.02, 200.0])
        up = (rule.comparator == ">=") is (tighter or chance.random() < 0.2)
        moves[str(rule.why)] = rule.threshold + (step if up else -step)
    return moves
