"""The decisions of a finished dataset as columns, without an object per row: 100,000 clips have 1.7 million rows."""
# pyright: basic
# pyarrow has no types of its own.

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from manifests.record import Verdict, Why
from pipeline.audit.account import ORDER
from pipeline.audit.columns import Bools, Ints, Texts, columns, empty, numbers
from pipeline.audit.errors import DatasetError
from pipeline.rules import SOURCE_RULES, Rule

FILES = ("dataset.json", "sources.parquet", "clips.parquet", "decisions.parquet")
TEXTS = ["subject", "source", "measurement", "comparator", "verdict", "reason"]
NUMBERS = ["start", "stop", "person", "value"]
NEVER = np.iinfo(np.int64).max
"""In place of the order of a first drop: nothing drops."""
POSSIBLE = ".possible"
"""How the measurement of a row ends that says a stage, or the run, could not measure."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """decisions.parquet, an entry a row.

    subject: its place in `Subjects`; rule: place among the dataset's rules, or -1; possible: a stage or the run could
    not measure; acts: the verdict is not `unknown`; drops: the subject, and not just a stretch of it; value: NaN where
    not measured; why: place of the reason in `Why`.
    """

    subject: Ints
    rule: Ints
    possible: Bools
    acts: Bools
    drops: Bools
    value: NDArray[np.float64]
    why: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """Whom decisions are about: sources, and candidates with their grid frames. source: row of sources.parquet."""

    names: Sequence[str]
    name: Ints  # place in `names`: two sources of the same bytes have candidates of the same name
    source: Ints
    start: Ints
    stop: Ints
    is_source: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Leftovers:
    """The stretches of sources that came into no candidate, each with the place of its reason in `Why`."""

    source: Ints
    start: Ints
    stop: Ints
    why: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What a dataset says of everything that was looked at. frames: grid frames of each row of sources.parquet."""

    rules: tuple[Rule, ...]
    counts: Mapping[str, object]
    clips: int
    frames: Ints
    rows: Rows
    subjects: Subjects
    leftovers: Leftovers

    @property
    def measured(self) -> Bools:
        """Which candidates met every rule there is for one. No source: what follows its rules is not on record."""
        met = np.bincount(self.rows.subject, self.rows.rule >= 0, len(self.subjects.source))
        of_sources = {rule.why for rule in SOURCE_RULES}
        all_rules = sum(rule.why not in of_sources for rule in self.rules)
        return (met == all_rules) & ~self.subjects.is_source

    def judged(self, rules: Sequence[Rule]) -> Bools:
        """Which rows drop their subject. rules: the dataset's own, in their order, with any thresholds."""
        drops = self.rows.drops.copy()
        for place, (old, new) in enumerate(zip(self.rules, rules, strict=True)):
            if old.threshold != new.threshold and not new.training_only:
                rows = np.flatnonzero((self.rows.rule == place) & self.rows.acts)
                value = self.rows.value[rows]
                passes = (
                    value >= new.threshold if new.comparator == ">=" else value <= new.threshold
                )
                drops[rows] = ~passes  # what could not be measured, NaN, passes nothing
        return drops

    def first_drops(self, drops: Bools) -> Ints:
        """For each subject the place in the flow of what drops it, or NEVER; modulo the reasons, that in `Why`.

        The rules come in their order, then refusals and failures, then what is settled over the whole set.
        """
        rows = np.flatnonzero(drops)
        rule, possible = self.rows.rule[rows], self.rows.possible[rows]
        last = np.where(possible, len(self.rules), len(self.rules) + 1)
        reasons = np.array([*(ORDER[rule.why] for rule in self.rules), 0])
        place = np.where(rule < 0, last, rule)
        reason = np.where(rule < 0, self.rows.why[rows], reasons[rule])
        first = np.full(len(self.subjects.source), NEVER)
        np.minimum.at(first, self.rows.subject[rows], place * len(ORDER) + reason)
        return first


def read(dataset: Path) -> Recorded:
    """A dataset's decisions. Raises DatasetError where the folder is none, or its files are not what they should be."""
    for name in FILES:
        if not (dataset / name).is_file():
            raise DatasetError(f"{dataset} is no dataset: it has no {name}")
    try:
        facts = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
        rules = tuple(rule_of(fields) for fields in facts["rules"])
        sources = columns(dataset / "sources.parquet", ["locator"], ["frames"])
        rows = columns(dataset / "decisions.parquet", TEXTS, NUMBERS)
        return Recorded(
            rules,
            facts["counts"],
            pq.read_metadata(dataset / "clips.parquet").num_rows,
            numbers(sources["frames"], np.int64),
            *tables_of(rows, Texts.of(sources["locator"]).rows, rules),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{dataset} cannot be read as a dataset: {error!r}") from error


def rule_of(fields: Mapping[str, object]) -> Rule:
    """A rule as dataset.json has it."""
    names = {field.name for field in dataclasses.fields(Rule)}
    facts: dict = {name: value for name, value in fields.items() if name in names}
    return Rule(**{**facts, "why": Why(facts["why"]), "proven": tuple(facts["proven"])})


def tables_of(
    columns: Mapping, locators: Sequence[str], rules: Sequence[Rule]
) -> tuple[Rows, Subjects, Leftovers]:
    """The columns of decisions.parquet by what they are about. locators: of sources.parquet, in its order."""
    texts = {name: Texts.of(columns[name]) for name in TEXTS}
    source = texts["source"].numbered({name: row for row, name in enumerate(locators)})
    if (source < 0).any() or (texts["subject"].codes < 0).any():
        raise ValueError("a decision is about nothing that sources.parquet lists")
    start, stop = numbers(columns["start"], np.int64), numbers(columns["stop"], np.int64)
    rows, first, left = rows_of(columns, texts, source, rules)
    return (
        rows,
        Subjects(
            names=texts["subject"].values,
            name=texts["subject"].codes[first],
            source=source[first],
            start=start[first],
            stop=stop[first],
            is_source=empty(columns["person"])[first],
        ),
        Leftovers(source[left], start[left], stop[left], rows.why[left]),
    )


def rows_of(
    columns: Mapping, texts: Mapping[str, Texts], source: Ints, rules: Sequence[Rule]
) -> tuple[Rows, Ints, Ints]:
    """(the rows, one row of each subject, the rows that are about stretches of a source)."""
    measurement, verdict, reason = texts["measurement"], texts["verdict"], texts["reason"]
    subject, first = subjects_of(texts["subject"].codes, source)
    rule = rules_of(measurement, texts["comparator"], rules)
    possible = measurement.among({v for v in measurement.values if v.endswith(POSSIBLE)})
    left = empty(columns["person"]) & ~possible & (rule < 0)
    return (
        Rows(
            subject=subject,
            rule=rule,
            possible=possible,
            acts=~verdict.among({Verdict.UNKNOWN}),
            drops=verdict.among({Verdict.DROPPED, Verdict.FAILED}) & ~left,
            value=numbers(columns["value"], np.float64, absent=np.nan),
            why=reason.numbered(
                {text: ORDER[Why(text)] for text in reason.values}, otherwise=ORDER[Why.FAILED]
            ),
        ),
        first,
        np.flatnonzero(left),
    )


def subjects_of(name: Ints, source: Ints) -> tuple[Ints, Ints]:
    """Number the different pairs of name and source. Returns (the number by row, a row by number).

    Nearly every name is of one source, so that the name's own number serves; only the others are sorted.
    """
    count = int(name.max(initial=-1)) + 1
    home = np.zeros(count, np.int64)
    home[name] = source
    other = np.flatnonzero(home[name] != source)
    pairs, further = np.unique(
        name[other].astype(np.int64) * (int(source.max(initial=0)) + 1) + source[other],
        return_inverse=True,
    )
    subject = name.astype(np.int64)
    subject[other] = count + further
    row = np.zeros(count + len(pairs), np.int64)
    row[subject] = np.arange(len(subject))
    return subject, row


def rules_of(measurement: Texts, comparator: Texts, rules: Sequence[Rule]) -> Ints:
    """For each row the place of the rule that it is of, -1 for none: one measurement may have two rules."""
    places = {(rule.measurement, str(rule.comparator)): i for i, rule in enumerate(rules)}
    table = np.full((len(measurement.values) + 1, len(comparator.values) + 1), -1, np.int32)
    for m, name in enumerate(measurement.values):
        for c, sign in enumerate(comparator.values):
            table[m, c] = places.get((name, sign), -1)
    return table[measurement.codes, comparator.codes]
