"""Who is in the set and for what: clips for training only lie in train, and their people leak into no other side."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.record import Clip, Decision, Identity, Synthetic, Verdict, Why
from pipeline import flow
from pipeline.audit.look import use_in_words
from pipeline.config import Run, load
from pipeline.fetching.opt_outs import OptOuts
from pipeline.identities import Frozen
from pipeline.run.drive import Gathered
from pipeline.run.report import training_only
from pipeline.run.settle import Settled, settle
from pipeline.run.walk import Outcome
from pipeline.stages.s120_identity import Grouping, Identify
from pipeline.store import Store
from tests.examples import BACKEND, clip


class ByName(Identify):
    """Stands for the identity stage: each declared speaker is a group."""

    def __call__(self, clips: Sequence[Clip], store: Store, frozen: Mapping[str, str]) -> Grouping:
        grouped = tuple(
            each.model_copy(
                update={
                    "identity": Identity(
                        group=f"speaker:{each.origin.speaker}", backend=BACKEND, similarity=1.0
                    )
                }
            )
            for each in clips
        )
        return Grouping(grouped, {}, {})


def the_flow(*given: str) -> flow.Flow:
    return replace(flow.build(load(None, given)), identity=ByName(0.5, BACKEND))


FLOW = the_flow("training_only=[upper_body_missing]", "split.val=0.25", "split.test=0.25")


def of(
    person: str, number: int, *, elbows: bool = True, synthetic: Synthetic | None = None
) -> Clip:
    """A clip of a person, with or without elbows in view."""
    made = clip(name=f"{person}{number}".encode().hex().ljust(24, "0"), locator=f"{person}.mp4")
    assert made.posture is not None
    return made.model_copy(
        update={
            "origin": made.origin.model_copy(update={"speaker": person, "synthetic": synthetic}),
            "posture": made.posture.model_copy(update={"upper_body": 1.0 if elbows else 0.1}),
        }
    )


def settled(clips: Sequence[Clip], frozen: Frozen | None = None, by: flow.Flow = FLOW) -> Settled:
    found = Gathered()
    for each in clips:
        found.clips.setdefault(each.origin.locator, []).append(Outcome(each, by.decide(each)))
    store = Store(Path("nowhere"))
    return settle(by, found, store, frozen or Frozen(), OptOuts())


def sides(found: Settled) -> dict[str, tuple[str | None, str]]:
    return {each.id: (each.split, each.use) for each in found.kept}


PEOPLE = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.booleans()), max_size=25)


@settings(max_examples=50)
@given(people=PEOPLE)
def test_clips_for_training_only_are_in_train_and_move_nobody(
    people: list[tuple[str, bool]],
) -> None:
    clips = [of(name, number, elbows=elbows) for number, (name, elbows) in enumerate(people)]
    whole = [each for each, (_, elbows) in zip(clips, people, strict=True) if elbows]
    found, alone = settled(clips), settled(whole)
    assert {name: at for name, at in sides(found).items() if at[1] == "all"} == sides(alone)
    people_of = {side: set[str]() for side in ("train", "val", "test")}
    for each in found.kept:
        assert each.identity is not None and each.split is not None
        people_of[each.split].add(each.identity.group)
        assert each.use == "all" or each.split == "train"
    assert not people_of["train"] & (people_of["val"] | people_of["test"])
    left = {name for name, _ in found.drops}
    assert left | set(sides(found)) == {each.id for each in clips}
    assert {row.reason for row in found.drops.values()} <= {Why.HELD_OUT}


def test_of_a_person_who_is_held_out_clips_for_training_only_are_left_out_with_the_reason() -> None:
    frozen = Frozen(sides={"speaker:ada": "val"})
    cropped = of("ada", 1, elbows=False)
    found = settled([of("ada", 0), cropped], frozen)
    assert [(each.split, each.use) for each in found.kept] == [("val", "all")]
    [row] = found.drops.values()
    assert (row.subject, row.verdict, row.reason) == (cropped.id, Verdict.DROPPED, Why.HELD_OUT)
    assert row.detail == "for training only, its person is in val"


def test_a_person_with_clips_for_training_only_is_in_train_and_stays_there() -> None:
    names = [f"p{number}" for number in range(40)]
    first = settled([of(name, 0, elbows=False) for name in names])
    assert set(sides(first).values()) == {("train", "train")} and not first.drops
    grown = settled([of(name, 1) for name in names], first.frozen)
    assert set(sides(grown).values()) == {("train", "all")}


@pytest.mark.parametrize("mark", ["dubbed", "generated"])
def test_a_dubbed_or_generated_clip_is_for_training_only_whatever_the_settings(
    mark: Synthetic,
) -> None:
    found = settled([of("ada", 0, synthetic=mark)], by=the_flow())
    [kept] = found.kept
    assert (kept.use, kept.split, kept.origin.synthetic) == ("train", "train", mark)
    assert not settled([of("ada", 0, synthetic=mark)], Frozen(sides={"speaker:ada": "test"})).kept


def test_the_report_says_how_much_is_for_training_only_and_by_which_rule() -> None:
    clips = [
        of("ada", 0),
        of("ada", 1, elbows=False),
        of("ada", 2, elbows=False, synthetic="dubbed"),
    ]
    found = Gathered(clips={"ada.mp4": [Outcome(each, FLOW.decide(each)) for each in clips]})
    kept = settled(clips, Frozen(sides={"speaker:ada": "train"})).kept
    assert training_only(kept, found) == [
        "for training only: 2 clips, 16.00 s: synthetic 1, upper_body_missing 2"
    ]
    assert training_only(kept[:0], found) == []


def row_of(made: Clip, by: flow.Flow) -> list[Decision]:
    return [row for row in by.decide(made) if row.verdict is Verdict.TRAINING_ONLY]


def test_the_row_says_by_which_rule_and_value_a_clip_is_for_training_only() -> None:
    [row] = row_of(of("ada", 0, elbows=False), FLOW)
    assert (row.reason, row.measurement) == (Why.UPPER_BODY_MISSING, "posture.upper_body")
    assert (row.value, row.comparator, row.threshold) == (0.1, ">=", 0.5)
    [row] = row_of(of("ada", 0, synthetic="generated"), FLOW)
    assert (row.reason, row.stage, row.detail) == (Why.SYNTHETIC, "fetch", "generated")
    assert not row_of(of("ada", 0), FLOW) and not row_of(of("ada", 0, elbows=False), the_flow())


def test_candidates_carry_what_the_list_says_of_their_source() -> None:
    from tests.examples import source

    made = source(300, turns=((0, 300),))
    for mark in (None, "dubbed"):
        marked = made.model_copy(
            update={"origin": made.origin.model_copy(update={"synthetic": mark})}
        )
        found = flow.build(Run()).candidates(marked)
        assert found and {each.origin.synthetic for each in found} == {mark}


def test_a_contact_sheet_says_what_a_clip_may_not_serve_for() -> None:
    assert use_in_words(of("ada", 0)) == "split train"
    marked = of("ada", 0, synthetic="dubbed").model_copy(update={"use": "train"})
    assert use_in_words(marked) == "split train, for training only, dubbed"
