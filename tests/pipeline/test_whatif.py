"""Thresholds moved on record: the same as deciding and accounting anew, and as a run under them."""

import io
import json
import random
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from manifests import tables
from manifests.record import Why
from pipeline.audit.columns import Texts, empty, numbers
from pipeline.audit.errors import DatasetError
from pipeline.audit.intervals import count_by_rank
from pipeline.audit.whatif import WhatIf, sentence, thresholds_in, what_if
from pipeline.config import ConfigError
from pipeline.rules import RULES, RuleError, with_thresholds, with_training_only
from pipeline.stages.s060_spans import Spans
from tests.examples import clip, source
from tests.pipeline.judged import (
    Answer,
    Thing,
    answer,
    any_moves,
    any_world,
    recorded,
    with_value,
    written,
)


def said(found: WhatIf) -> Mapping[str, object]:
    """An answer, with names as sets; a set that one person's clips are in twice is no matter here."""
    return {
        "funnel": found.after,
        "lost": {why: set(names) for why, names in found.lost.items()},
        "gained": set(found.gained),
        "unmeasured": set(found.unmeasured),
        "sources_lost": {why: set(names) for why, names in found.sources_lost.items()},
        "sources_unmeasured": set(found.sources_unmeasured),
    }


def expected(found: Answer) -> Mapping[str, object]:
    return {
        "funnel": found.funnel,
        "lost": found.lost,
        "gained": found.gained,
        "unmeasured": found.unmeasured,
        "sources_lost": found.sources_lost,
        "sources_unmeasured": found.sources_unmeasured,
    }


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_columns_say_what_deciding_and_accounting_each_record_says(seed: int) -> None:
    chance = random.Random(seed)
    films, moves = recorded(any_world(chance), RULES), any_moves(chance)
    with TemporaryDirectory() as folder:
        found = what_if(written(films, RULES, Path(folder)), moves)
    assert said(found) == expected(answer(films, RULES, with_thresholds(RULES, moves)))
    assert found.before == answer(films, RULES, RULES).funnel


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_a_tighter_threshold_gives_the_account_of_a_run_under_it(seed: int) -> None:
    chance = random.Random(seed)
    world, moves = any_world(chance), any_moves(chance, tighter=True)
    tighter = with_thresholds(RULES, moves)
    with TemporaryDirectory() as folder:
        found = what_if(written(recorded(world, RULES), RULES, Path(folder)), moves)
    assert found.after == answer(recorded(world, tighter), tighter, tighter).funnel
    assert (found.gained, found.unmeasured, found.sources_unmeasured) == ((), (), ())


# ---- by hand ---------------------------------------------------------------------------------------------------------


def one_clip(folder: Path, values: Mapping[str, float | None], *, frames: int = 200) -> Path:
    """A dataset of one source that is one candidate from end to end, with some values of it."""
    film = source(frames, turns=((0, frames),))
    (candidate,) = Spans()(film)
    made = clip().model_copy(update={"id": candidate.id, "span": candidate.span})
    for measurement, value in values.items():
        made = with_value(made, measurement, value)
    return written(recorded([(Thing(film), (Thing(made),))], RULES), RULES, folder)


def test_a_clip_below_a_raised_threshold_goes_with_its_frames(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {"posture.stillness": 0.05}), {"static": 0.06})
    assert (found.clips, found.before.kept) == (1, 200)
    assert [(why, len(names)) for why, names in found.lost.items()] == [(Why.STATIC, 1)]
    assert (found.after.kept, found.after.dropped) == (0, {Why.STATIC: 200})
    assert found.after.person_dropped == {Why.STATIC: 200}


def test_a_clip_at_its_threshold_stays(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {"posture.stillness": 0.06}), {"static": 0.06})
    assert (found.lost, found.after) == ({}, found.before)


def test_what_a_loosened_rule_stopped_early_is_to_be_measured(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {"posture.facing": 0.5}), {"side_view": 0.4})
    assert len(found.unmeasured) == 1 and found.gained == ()
    assert (found.after.unmeasured, found.after.kept, found.after.dropped) == (200, 0, {})


def test_what_the_last_rules_dropped_would_be_a_clip(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {"framing.enlarged": 2.5}), {"enlarged_too_much": 3.0})
    assert len(found.gained) == 1 and found.unmeasured == ()
    assert (found.before.kept, found.after.kept) == (0, 200)


def test_a_clip_that_another_rule_drops_too_takes_that_reason(tmp_path: Path) -> None:
    dataset = one_clip(tmp_path, {"posture.facing": 0.5, "posture.stillness": 0.01})
    found = what_if(dataset, {"side_view": 0.4})
    assert found.before.dropped == {Why.SIDE_VIEW: 200}
    assert found.after.dropped == {Why.STATIC: 200}


def test_what_could_not_be_measured_passes_no_threshold(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {"posture.stillness": None}), {"static": -1e9})
    assert found.after.dropped == {Why.STATIC: 200}


def test_a_rule_that_acts_on_nothing_drops_nothing_at_any_threshold(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {}), {"back_view": 1e9, "music_under_speech": -1.0})
    assert (found.lost, found.after.kept, len(found.moved)) == ({}, 200, 2)


def test_a_threshold_of_a_rule_for_training_only_drops_nothing(tmp_path: Path) -> None:
    rules = with_training_only(RULES, ["upper_body_missing"])
    made = with_value(clip(), "posture.upper_body", 0.2)
    films = recorded([(Thing(source(200, turns=((0, 200),))), (Thing(made),))], rules)
    found = what_if(written(films, rules, tmp_path), {"upper_body_missing": 0.9})
    assert (found.lost, found.clips, found.after.kept) == ({}, 1, 200)
    assert list(map(sentence, found.moved)) == [
        "if upper_body_missing asked for posture.upper_body >= 0.9, not 0.5 ratio of frames; "
        "what fails is kept, for training only"
    ]


def test_a_source_that_would_be_dropped_takes_its_clips_with_it(tmp_path: Path) -> None:
    found = what_if(one_clip(tmp_path, {}), {"too_short": 201})
    assert found.sources_lost == {Why.TOO_SHORT: ("talk.mp4",)}
    assert [(why, len(names)) for why, names in found.lost.items()] == [(Why.TOO_SHORT, 1)]
    assert (found.after.dropped, found.after.person_frames) == ({Why.TOO_SHORT: 200}, 0)


def test_a_source_that_would_be_dropped_no_more_is_to_be_measured(tmp_path: Path) -> None:
    film = Thing(source(100, turns=((0, 100),)))
    found = what_if(written(recorded([(film, ())], RULES), RULES, tmp_path), {"too_short": 100})
    assert found.sources_unmeasured == ("talk.mp4",)
    assert (found.after.unmeasured, found.after.dropped) == (100, {})


def test_a_set_without_any_rows_stays_empty(tmp_path: Path) -> None:
    found = what_if(written([], RULES, tmp_path), {"static": 1.0})
    assert (found.before, found.after, found.lost) == (found.after, found.before, {})


def test_the_answer_is_a_table_that_adds_up_and_says_who_goes(tmp_path: Path) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(what_if(one_clip(tmp_path, {"posture.stillness": 0.05}), {"static": 0.06}))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[0][:9] == [
        "if",
        "static",
        "asked",
        "for",
        "posture.stillness",
        ">=",
        "0.06,",
        "not",
        "0.035",
    ]
    assert ["dropped:", "static", "0", "200", "+200", "+8.00"] in lines
    assert ["kept", "200", "0", "-200", "-8.00"] in lines
    assert ["clips:", "1", "now,", "0", "then"] in lines and ["dropped:", "static", "1"] in lines


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_a_rule_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="did you mean static"):
        what_if(one_clip(tmp_path, {}), {"statc": 1.0})


def test_a_rule_that_the_dataset_was_made_without_is_refused(tmp_path: Path) -> None:
    older = tuple(rule for rule in RULES if rule.why is not Why.STATIC)
    film = Thing(source(100, turns=((0, 100),)))
    with pytest.raises(DatasetError, match="made without the rule static"):
        what_if(written(recorded([(film, ())], older), older, tmp_path), {"static": 1.0})


@pytest.mark.parametrize("name", ["dataset.json", "decisions.parquet", "sources.parquet"])
def test_a_folder_that_is_no_dataset_is_named_with_what_it_lacks(tmp_path: Path, name: str) -> None:
    (one_clip(tmp_path, {}) / name).unlink()
    with pytest.raises(DatasetError, match=f"no dataset: it has no {name}"):
        what_if(tmp_path, {})


@pytest.mark.parametrize("name", ["dataset.json", "decisions.parquet", "sources.parquet"])
def test_a_file_that_is_no_table_is_one_sentence(tmp_path: Path, name: str) -> None:
    (one_clip(tmp_path, {}) / name).write_text("{}")
    with pytest.raises(DatasetError, match="cannot be read as a dataset") as fault:
        what_if(tmp_path, {})
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("name", ["frames_kept", "person_frames_dropped"])
def test_a_dataset_whose_counts_are_not_those_of_its_decisions_is_refused(
    tmp_path: Path, name: str
) -> None:
    file = one_clip(tmp_path, {}) / "dataset.json"
    facts = json.loads(file.read_text())
    facts["counts"][name] = 7
    file.write_text(json.dumps(facts))
    with pytest.raises(DatasetError, match=f"contradicts itself: its decisions give {name}"):
        what_if(tmp_path, {})


def test_a_frame_without_a_row_is_found(tmp_path: Path) -> None:
    rows = pq.read_table(one_clip(tmp_path, {}) / "decisions.parquet").to_pylist()
    fewer = [row for row in rows if row["person"] is None]
    tables.write(fewer, tables.DECISIONS, tmp_path / "decisions.parquet")
    with pytest.raises(DatasetError, match="200 frames are neither kept nor dropped"):
        what_if(tmp_path, {})


def test_only_thresholds_can_be_moved() -> None:
    assert thresholds_in(("rules.static=0.06", "rules.close_up=1")) == {
        "static": 0.06,
        "close_up": 1.0,
    }
    with pytest.raises(ConfigError, match=r"'crop.margin=0.2' is no threshold"):
        thresholds_in(("rules.static=0.06", "crop.margin=0.2"))
    with pytest.raises(RuleError, match="did you mean static"):
        thresholds_in(("rules.statc=0.06",))


def test_no_two_rules_are_told_apart_by_their_threshold_alone() -> None:
    assert len({(rule.measurement, rule.comparator) for rule in RULES}) == len(RULES)


# ---- intervals -------------------------------------------------------------------------------------------------------

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 4)), max_size=12)  # fmt: skip


@given(INTERVALS)
def test_frames_are_counted_by_their_highest_rank(found: list[tuple[int, int, int]]) -> None:
    frames = np.full(60, -1)
    for start, length, rank in found:
        frames[start : start + length] = np.maximum(frames[start : start + length], rank)
    start, length, rank = np.array(found, np.int64).reshape(-1, 3).T
    counts = count_by_rank(start, start + length, rank, ranks=5)
    assert counts.tolist() == [int((frames == rank).sum()) for rank in range(5)]


# ---- columns ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=40), st.integers(0, 9))
def test_numbers_are_read_with_a_mark_where_there_are_none(
    given: list[float | None], skipped: int
) -> None:
    column = pa.array(given, pa.float64())[skipped:]
    found = numbers(column, np.float64, absent=np.nan)
    assert [None if np.isnan(value) else value for value in found] == given[skipped:]
    assert empty(column).tolist() == [value is None for value in given[skipped:]]


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "é"])), max_size=40))
def test_texts_are_read_as_which_of_the_different_ones_they_are(given: list[str | None]) -> None:
    texts = Texts.of(pa.array(given, pa.string()).dictionary_encode())
    assert texts.numbered({"a": 5}, otherwise=7).tolist() == [5 if t == "a" else 7 for t in given]
    assert texts.among({"b", "é"}).tolist() == [t in ("b", "é") for t in given]


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="holds int32, int64 is needed"):
        numbers(pa.array([1], pa.int32()), np.int64)
    with pytest.raises(ValueError, match="is empty in 1 rows"):
        numbers(pa.array([None], pa.int64()), np.int64)
    with pytest.raises(ValueError, match="text is needed"):
        Texts.of(pa.array([1]))


def test_a_candidate_without_a_name_is_refused(tmp_path: Path) -> None:
    file = one_clip(tmp_path, {}) / "decisions.parquet"
    rows = pq.read_table(file).to_pylist()
    tables.write([{**row, "subject": None} for row in rows], tables.DECISIONS, file)
    with pytest.raises(DatasetError, match=r"about nothing that sources\.parquet lists"):
        what_if(tmp_path, {})
