"""What a commit may take away from a dataset, and what looks like something that broke."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from manifests.record import Clip, Origin, Source, Why
from pipeline.identities import Frozen
from pipeline.run.drive import Gathered
from pipeline.run.settle import Settled
from pipeline.run.shrink import (
    MAY_DROP,
    Earlier,
    Loss,
    WouldShrink,
    check,
    earlier_clips,
    losses,
    refuse_trial,
)
from pipeline.run.walk import Outcome
from pipeline.verdict import Failed, Refusal, refused
from tests.examples import clip, source

THERE = Earlier("0a" * 12, "talk.mp4", "cd" * 32, 0, 200)


def gathered(*clips: Outcome, of: Outcome | None = None) -> Gathered:
    found = Gathered(sources=[of or Outcome(source(400, turns=((0, 400),)))])
    found.clips["talk.mp4"] = list(clips)
    return found


def settled(*kept: Clip, drops: Mapping[tuple[str, str], object] | None = None) -> Settled:
    return Settled(kept, drops or {}, Frozen())  # type: ignore[arg-type]


def loss(found: Gathered, kept: Settled, **how: bool) -> Loss:
    [lost] = losses([THERE], found, kept, **{"explicit": True, "new_bytes": False, **how})
    return lost


def drop(subject: Source | Clip, why: Why) -> Outcome:
    return Outcome(subject, (refused(subject, Refusal(why, "so"), stage=("x", 1)),))


def failure(subject: Source | Clip, why: Why = Why.FAILED) -> Outcome:
    return Outcome(subject, failure=Failed("x", "fetch", "nobody answered", "", why))


def test_a_clip_that_is_kept_is_not_lost() -> None:
    assert losses([THERE], gathered(), settled(clip()), explicit=False, new_bytes=False) == []


def test_a_rule_may_take_a_clip_away() -> None:
    assert loss(gathered(drop(clip(), Why.STATIC)), settled()).allowed


@pytest.mark.parametrize("why", sorted(set(Why) - MAY_DROP))
def test_what_is_no_decision_may_not(why: Why) -> None:
    assert not loss(gathered(drop(clip(), why)), settled()).allowed
    assert not loss(gathered(of=drop(source(400, turns=()), why)), settled()).allowed


def test_every_rule_and_opt_out_may() -> None:
    assert {Why.STATIC, Why.NO_SPEECH, Why.OPTED_OUT, Why.LICENCE, Why.DUPLICATE} <= MAY_DROP
    assert not {Why.FAILED, Why.UNREACHABLE, Why.REMOVED, Why.UNDECODABLE, Why.NOT_MEDIA} & MAY_DROP


def test_a_candidate_that_failed_takes_nothing_away() -> None:
    assert not loss(gathered(failure(clip())), settled()).allowed


def test_a_source_that_cannot_be_reached_takes_nothing_away() -> None:
    lost = loss(gathered(of=failure(source(0, turns=()), Why.UNREACHABLE)), settled())
    assert not lost.allowed
    assert lost.cause == "its source failed: nobody answered"


def test_a_list_that_names_a_source_no_more_may_and_a_folder_without_it_may_not() -> None:
    elsewhere = Outcome(Source(origin=Origin(locator="other.mp4")))
    assert loss(gathered(of=elsewhere), settled(), explicit=True).allowed
    assert not loss(gathered(of=elsewhere), settled(), explicit=False).allowed


def test_other_bytes_count_where_the_user_has_taken_them() -> None:
    was = Earlier("0b" * 12, "talk.mp4", "ee" * 32, 0, 200)
    found = gathered()
    for accepted in (True, False):
        [lost] = losses([was], found, settled(), explicit=True, new_bytes=accepted)
        assert lost.allowed is accepted


def test_a_source_that_is_cut_otherwise_may_unless_a_piece_over_the_clip_failed() -> None:
    other = clip(start=10, frames=150, name="0c" * 12)
    assert loss(gathered(Outcome(other)), settled(other)).allowed
    assert not loss(gathered(failure(other)), settled()).allowed
    far = clip(start=200, frames=150, name="0d" * 12)
    assert loss(gathered(Outcome(other), failure(far)), settled(other)).allowed


def test_the_message_counts_by_cause_and_names_the_way_out() -> None:
    found = [Loss(THERE, "its source is gone", allowed=False)] * 3
    with pytest.raises(WouldShrink, match=r"3 clips .*3 × its source is gone.*--allow-shrink"):
        check(found, allow=False, trial=False)
    check(found, allow=True, trial=False)


def test_a_trial_takes_no_clip_whatever_is_allowed() -> None:
    with pytest.raises(WouldShrink, match="another --out"):
        check([Loss(THERE, "dropped: static", allowed=True)], allow=True, trial=True)


def test_a_trial_with_fewer_sources_than_the_dataset_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"counts": {"sources": 3, "clips": 3}}))
    with pytest.raises(WouldShrink, match=r"3 sources and this trial run .* has 1"):
        refuse_trial(tmp_path, 1, trial=True)
    refuse_trial(tmp_path, 1, trial=False)
    refuse_trial(tmp_path, 3, trial=True)
    refuse_trial(tmp_path / "none", 1, trial=True)


def test_a_dataset_whose_clips_cannot_be_read_is_not_replaced_unseen(tmp_path: Path) -> None:
    assert earlier_clips(tmp_path) == []
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "clips.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(WouldShrink, match=r"clips\.parquet cannot be read"):
        earlier_clips(tmp_path)
