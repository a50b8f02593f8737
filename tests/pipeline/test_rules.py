"""The table of filters and the function that applies it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Backend, Clip, Interval, Source, Verdict, Why
from pipeline import flow
from pipeline.config import Run
from pipeline.rules import (
    CLIP_RULES,
    PUBLISHED,
    RULES,
    SOURCE_RULES,
    Rule,
    RuleError,
    with_thresholds,
    with_training_only,
)
from pipeline.verdict import Refusal, decide, dropped, first_drop, for_training_only, refused
from tests.examples import clip, source, track

VERSIONS = flow.build(Run()).versions


def test_rules_stand_in_the_order_of_the_reasons() -> None:
    order = list(Why)
    places = [order.index(rule.why) for rule in CLIP_RULES]
    assert places == sorted(places)
    assert len({rule.why for rule in RULES}) == len(RULES)


def test_every_rule_names_a_unit_and_where_its_number_is_from() -> None:
    assert all(rule.unit and rule.source for rule in RULES)


def test_every_rule_reads_a_number_that_the_records_have() -> None:
    for example, rules in ((source(200, turns=((0, 200),)), SOURCE_RULES), (clip(), CLIP_RULES)):
        judged = [row.measurement for row in decide(example, rules, VERSIONS)]
        assert judged == [rule.measurement for rule in rules], "tests/examples.py lacks a section"


@pytest.mark.parametrize("rule", CLIP_RULES, ids=lambda rule: str(rule.why))
def test_just_inside_keeps_and_just_outside_drops(rule) -> None:
    step = 1e-6 if rule.comparator == ">=" else -1e-6
    assert rule.passes(rule.threshold)
    assert rule.passes(rule.threshold + step)
    assert not rule.passes(rule.threshold - step)


JUDGED: dict[Why, tuple[str, float, float]] = {
    Why.NO_AUDIO: ("media.audible", 100, 0),
    Why.TOO_SHORT: ("media.grid_frames", 126, 124),
    Why.FRAME_TOO_SMALL: ("media.upright_size", 300, 200),
    Why.FRAMES_MISSING: ("media.longest_gap", 0.9, 1.1),
    Why.NO_SPEECH: ("speech.voiced", 10, 0),
    Why.NOBODY: ("people.tracks", 1, 0),
    Why.OVERLAPPED_SPEECH: ("speech.overlap", 0.05, 0.2),
    Why.MUSIC: ("speech.music", 0.3, 0.7),
    Why.TOO_SMALL: ("person.face_height", 0.08, 0.05),
    Why.CLOSE_UP: ("person.face_height", 0.3, 0.5),
    Why.FACE_TURNED: ("person.facing", 0.8, 0.4),
    Why.FROZEN: ("shot.change", 11.0, 2.0),
    Why.LOW_PICTURE_RATE: ("shot.new_pictures", 25.0, 8.0),
    Why.NO_POSE: ("pose.found", 0.9, 0.7),
    Why.UPPER_BODY_MISSING: ("posture.upper_body", 0.7, 0.3),
    Why.BACK_VIEW: ("posture.shoulder_facing", 0.5, -0.5),
    Why.SIDE_VIEW: ("posture.facing", 0.8, 0.4),
    Why.FACE_HIDDEN: ("posture.face_seen", 0.7, 0.3),
    Why.STATIC: ("posture.stillness", 0.05, 0.02),
    Why.NOT_SPEAKER: ("sync.speaking", 0.5, -0.5),
    Why.OUT_OF_SYNC: ("sync.apart", 2, 3),
    Why.OUTSIDE_FRAME: ("framing.outside", 0.4, 0.5),
    Why.ENLARGED: ("framing.enlarged", 1.5, 2.5),
}
"""Of each rule a number that is kept and one that is dropped, and the field of the record that it is made from."""


def told(rule: Rule, field: str, number: float) -> Source | Clip:
    """A record whose field says a number, whatever form it has there."""
    subject = source(200, turns=((0, 200),)) if rule in SOURCE_RULES else clip()
    section, name = field.split(".")
    value = {
        "media.audible": (20, 20 + int(number)),
        "media.grid_frames": int(number),
        "media.upright_size": (400, int(number)),
        "speech.voiced": (Interval(start=5, stop=5 + int(number)),) if number else (),
        "people.tracks": (track(0, range(0, 200, 12)),) if number else (),
    }.get(field, number)
    whole = getattr(subject, section)
    return subject.model_copy(update={section: whole.model_copy(update={name: value})})


@pytest.mark.parametrize("why", JUDGED)
def test_each_rule_keeps_one_number_and_drops_another_by_its_own_measurement(why: Why) -> None:
    """As for a backend for which it is proven, whichever that is."""
    field, *numbers = JUDGED[why]
    rules = tuple(
        replace(rule, proven=("*",) if rule.why is why else rule.proven) for rule in RULES
    )
    for number, verdict in zip(numbers, (Verdict.KEPT, Verdict.DROPPED), strict=True):
        rule = next(rule for rule in rules if rule.why is why)
        subject = told(next(rule for rule in RULES if rule.why is why), field, number)
        (row,) = decide(subject, [rule], VERSIONS)
        assert (row.verdict, row.value) == (verdict, number)
        assert row.reason is (why if verdict is Verdict.DROPPED else None)


def test_every_rule_is_among_them() -> None:
    assert set(JUDGED) == {rule.why for rule in RULES}


def test_a_still_clip_is_dropped_with_its_score() -> None:
    still = clip()
    assert still.posture is not None
    still = still.model_copy(
        update={"posture": still.posture.model_copy(update={"stillness": 0.001})}
    )
    why = dropped(decide(still, CLIP_RULES, VERSIONS))
    assert why is not None
    assert (why.reason, why.value, why.verdict) == (Why.STATIC, 0.001, Verdict.DROPPED)


def test_what_could_not_be_measured_is_not_kept() -> None:
    faceless = clip()
    assert faceless.posture is not None
    faceless = faceless.model_copy(
        update={"posture": faceless.posture.model_copy(update={"facing": None})}
    )
    why = dropped(decide(faceless, CLIP_RULES, VERSIONS))
    assert why is not None and why.reason is Why.SIDE_VIEW and why.value is None


def test_a_rule_that_is_proven_for_no_backend_says_unknown_and_drops_nothing() -> None:
    loud = clip()
    loud = loud.model_copy(update={"speech": loud.speech.model_copy(update={"overlap": 1.0})})
    rows = {row.measurement: row for row in decide(loud, CLIP_RULES, VERSIONS)}
    assert rows["speech.overlap"].verdict is Verdict.UNKNOWN
    assert rows["speech.overlap"].value == 1.0
    assert dropped(tuple(rows.values())) is None


@pytest.mark.parametrize(
    ("backend", "verdict"), [("embedded", Verdict.DROPPED), ("pyscenedetect", Verdict.UNKNOWN)]
)
def test_a_frozen_picture_is_dropped_by_the_shot_detector_it_was_shown_with(
    backend: str, verdict: Verdict
) -> None:
    still = clip()
    shot = still.shot.model_copy(
        update={"backend": Backend(name=backend, version="1"), "change": 0}
    )
    rows = decide(still.model_copy(update={"shot": shot}), CLIP_RULES, VERSIONS)
    assert next(row for row in rows if row.measurement == "shot.change").verdict is verdict
    assert (dropped(rows) is None) is (verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("backend", "verdict"),
    [
        ("embedded", Verdict.DROPPED),
        ("segmentation", Verdict.DROPPED),
        ("pyannote", Verdict.UNKNOWN),
    ],
)
def test_silence_is_dropped_by_the_voice_detector_it_was_shown_with(
    backend: str, verdict: Verdict
) -> None:
    silent = source(200, turns=())
    assert silent.speech is not None
    speech = silent.speech.model_copy(update={"backend": Backend(name=backend, version="1")})
    rows = decide(silent.model_copy(update={"speech": speech}), SOURCE_RULES, VERSIONS)
    assert next(row for row in rows if row.stage == "speech").verdict is verdict
    assert (dropped(rows) is None) is (verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("weights", "verdict"),
    [
        (PUBLISHED["light-asd"], Verdict.DROPPED),
        (None, Verdict.DROPPED),
        ("0" * 64, Verdict.UNKNOWN),
    ],
)
def test_a_rule_acts_with_the_weights_it_was_shown_with_and_not_with_ones_own(
    weights: str | None, verdict: Verdict
) -> None:
    spoken = clip()
    assert spoken.sync is not None
    backend = Backend(name="light-asd", version="4", weights=weights)
    sync = spoken.sync.model_copy(update={"backend": backend, "speaking": -3.0})
    rows = decide(spoken.model_copy(update={"sync": sync}), CLIP_RULES, VERSIONS)
    assert next(row for row in rows if row.measurement == "sync.speaking").verdict is verdict


@given(
    st.dictionaries(st.sampled_from([str(rule.why) for rule in RULES]), st.floats(-4, 4)),
    st.sets(st.sampled_from(["pose", "posture", "sync", "framing"])),
)
def test_the_first_rule_that_drops_is_that_of_the_first_row_that_does(
    moved: dict[str, float], unmeasured: set[str]
) -> None:
    rules = with_thresholds(CLIP_RULES, moved)
    made = clip().model_copy(update=dict.fromkeys(unmeasured))
    rule, row = first_drop(made, rules), dropped(decide(made, rules, VERSIONS))
    assert (rule and rule.why) == (row and row.reason)


def test_a_section_that_no_stage_has_written_is_judged_by_no_rule() -> None:
    bare = clip().model_copy(update={"posture": None, "sync": None, "framing": None})
    unmeasured = {"posture", "sync", "framing"}
    judged = {row.measurement for row in decide(bare, CLIP_RULES, VERSIONS)}
    assert judged == {rule.measurement for rule in CLIP_RULES if rule.section not in unmeasured}


def test_a_threshold_can_be_moved_by_the_name_of_its_reason() -> None:
    moved = with_thresholds(CLIP_RULES, {"static": 0.3})
    assert dropped(decide(clip(), moved, VERSIONS)) is not None
    assert dropped(decide(clip(), CLIP_RULES, VERSIONS)) is None


def test_an_unknown_rule_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(RuleError, match=r"'statc'; did you mean static"):
        with_thresholds(RULES, {"statc": 0.3})


def test_a_refusal_drops_with_its_reason_and_its_words() -> None:
    row = refused(source(10, turns=()), Refusal(Why.NOT_MEDIA, "no streams"), stage=("probe", 1))
    assert (row.reason, row.detail, row.verdict) == (Why.NOT_MEDIA, "no streams", Verdict.DROPPED)


def test_a_rule_for_training_only_keeps_what_it_would_drop_and_stops_nothing() -> None:
    bare = clip()
    assert bare.posture is not None
    bare = bare.model_copy(
        update={"posture": bare.posture.model_copy(update={"upper_body": 0.2, "stillness": 0.001})}
    )
    rules = with_training_only(CLIP_RULES, ["upper_body_missing"])
    rows = decide(bare, rules, VERSIONS)
    found = {row.reason: row.verdict for row in rows if row.reason}
    assert found == {
        Why.UPPER_BODY_MISSING: Verdict.TRAINING_ONLY,
        Why.STATIC: Verdict.DROPPED,
    }
    assert for_training_only(rows) and not for_training_only(decide(bare, CLIP_RULES, VERSIONS))
    row, rule = dropped(rows), first_drop(bare, rules)
    assert row is not None and rule is not None and row.reason is rule.why is Why.STATIC


def test_only_rules_on_how_the_person_is_seen_may_keep_for_training() -> None:
    seen = {"person", "posture", "framing"}
    for rule in RULES:
        if rule.section in seen:
            assert with_training_only((rule,), [str(rule.why)])[0].training_only
        else:
            with pytest.raises(RuleError, match=f"training_only: {rule.why} is not about how"):
                with_training_only(RULES, [str(rule.why)])
    with pytest.raises(RuleError, match=r"training_only: .*'closeup'; did you mean close_up\?"):
        with_training_only(RULES, ["closeup"])
    assert with_training_only(RULES, ()) == RULES
