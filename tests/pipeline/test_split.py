"""The split: by hash where a set grows, balanced where it is small, and nobody ever moves."""

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import SplitName
from pipeline import flow
from pipeline.config import ConfigError, load
from pipeline.identities import Frozen, IdentityFileError, read_frozen, write_frozen
from pipeline.stages.s130_split import SIDES, Mode, Splitting

FLOW = Splitting()
SAMPLE = {
    "speaker:ada": 259, "speaker:ben": 129, "speaker:carla": 129, "speaker:dieter": 129, "speaker:eva": 130,
    "speaker:felix": 260,
}  # fmt: skip
QUARTERS = Splitting(val=0.25, test=0.25)  # as in manifests/sources/sample.yaml
PEOPLE = st.dictionaries(st.text(max_size=8), st.integers(0, 10_000), max_size=30)
MODES: tuple[Mode, ...] = ("auto", "balanced", "hashed")


def on(side: SplitName, count: int, split: Splitting = FLOW) -> dict[str, int]:
    """So many groups that the hash puts on one side, all of 100 frames."""
    names = (f"voice:{number:016x}" for number in range(1_000_000))
    return dict.fromkeys(islice((n for n in names if split.side(n) == side), count), 100)


# ---- a set without history -------------------------------------------------------------------------------------------


def test_three_people_that_the_hash_puts_in_train_are_on_three_sides() -> None:
    assert set(FLOW.assign(on("train", 3), {}).sides.values()) == set(SIDES)


def test_a_set_that_fills_every_side_by_the_hash_is_left_alone() -> None:
    hashed: dict[str, SplitName] = {
        "speaker:ada": "train",
        "speaker:ben": "test",
        "speaker:carla": "test",
        "speaker:dieter": "val",
        "speaker:eva": "val",
        "speaker:felix": "train",
    }
    assert {group: QUARTERS.side(group) for group in SAMPLE} == hashed
    assigned = QUARTERS.assign(SAMPLE, {})
    assert (assigned.sides, assigned.notes) == (hashed, ())


def test_who_moves_is_the_one_whose_hash_is_nearest_to_the_empty_side() -> None:
    groups = on("train", 20) | on("test", 1)
    moved = [g for g, side in FLOW.assign(groups, {}).sides.items() if side == "val"]
    assert moved == [min((g for g in groups if FLOW.side(g) == "train"), key=FLOW.place)]


def test_the_person_with_most_of_the_frames_stays_in_train() -> None:
    groups = on("train", 3)
    for group in groups:
        assert FLOW.assign(groups | {group: 101}, {}).sides[group] == "train"


def test_the_last_person_of_train_stays_there() -> None:
    sides = FLOW.assign(on("train", 1) | on("test", 2), {}).sides
    assert sorted(sides.values()) == ["test", "train", "val"]
    assert all(sides[group] == "train" for group in on("train", 1))


@pytest.mark.parametrize(("val", "test", "people"), [(0.0, 0.1, 2), (0.1, 0.0, 2), (0.0, 0.0, 1)])
def test_a_side_without_a_share_stays_empty(val: float, test: float, people: int) -> None:
    split = Splitting(val=val, test=test)
    assigned = split.assign(on("train", people, split), {})
    assert set(assigned.sides.values()) == set(split.wanted)
    assert (len(split.wanted), assigned.notes) == (people, ())


def test_hashed_moves_nobody_and_says_who_is_missing() -> None:
    assigned = Splitting(mode="hashed").assign(on("train", 13), {})
    assert set(assigned.sides.values()) == {"train"}
    assert assigned.notes == (
        "no person is in val or test: the hash puts none of 13 people there and split.mode is hashed",
    )


def test_auto_balances_up_to_as_many_people_as_the_hash_serves_in_99_of_100_sets() -> None:
    assert FLOW.enough == 104
    assert 2 * 0.95**104 < 0.01 < 2 * 0.95**103
    small, large = on("train", 103), on("train", 104)
    assert FLOW.assign(small, {}).notes == ()
    assert "the hash puts none of 104 people there" in FLOW.assign(large, {}).notes[0]
    assert Splitting(mode="balanced").assign(large, {}).notes == ()


@pytest.mark.parametrize("val", [0.0, 1e-9, 0.3, 0.9, 1.0])
def test_the_size_of_a_small_set_is_found_for_any_shares(val: float) -> None:
    split = Splitting(val=val, test=0.0)
    assert split.enough >= len(split.wanted)


@pytest.mark.parametrize(("people", "words"), [(1, "1 person, 3"), (2, "2 people, 3")])
def test_a_set_of_too_few_people_says_how_many_are_needed(people: int, words: str) -> None:
    assert FLOW.assign(on("train", people), {}).notes == (
        f"no person is in val or test: the set has {words} are needed",
    )


def test_a_set_without_people_says_nothing() -> None:
    assert FLOW.assign({}, {"speaker:ada": "train"}).notes == ()


# ---- a set with history ----------------------------------------------------------------------------------------------


def test_frozen_people_stay_and_the_next_new_one_fills_val() -> None:
    frozen: dict[str, SplitName] = dict.fromkeys(on("train", 13), "train")
    assigned = FLOW.assign(on("train", 13), frozen)
    assert assigned.sides == frozen
    assert assigned.notes == (
        "no person is in val or test: 13 of 13 people keep the side that an earlier run gave them; "
        "whoever comes new to the set will fill val and test",
    )
    grown = FLOW.assign(on("train", 14), assigned.frozen)
    assert {**frozen, **grown.sides} == {**grown.sides, **frozen}
    assert sorted(grown.sides.values()).count("val") == 1


def test_who_left_the_set_has_their_side_when_they_come_back() -> None:
    groups = on("train", 5)
    first = FLOW.assign(groups, {})
    gone = next(group for group, side in first.sides.items() if side == "val")
    fewer = FLOW.assign({g: n for g, n in groups.items() if g != gone}, first.frozen)
    assert "val" not in fewer.sides.values()
    assert FLOW.assign(groups, fewer.frozen).sides == first.sides


def test_a_side_can_be_asked_of_a_group_that_has_left_and_of_no_stranger() -> None:
    assigned = FLOW.assign({}, {"speaker:ada": "test"})
    assert assigned.side("speaker:ada") == "test"
    with pytest.raises(KeyError):
        assigned.side("speaker:nobody")


@given(PEOPLE, PEOPLE, st.sampled_from(MODES))
def test_neither_growth_nor_removal_moves_anybody(
    first: dict[str, int], later: dict[str, int], mode: Mode
) -> None:
    split = Splitting(mode=mode, val=0.1, test=0.1)
    before = split.assign(first, {})
    after = split.assign(later, before.frozen)
    again = split.assign({**first, **later}, after.frozen)
    assert before.frozen.items() <= after.frozen.items() <= again.frozen.items()
    assert {**before.sides, **after.sides} == again.sides


@given(PEOPLE, st.dictionaries(st.text(max_size=8), st.sampled_from(SIDES)), st.data())
def test_the_order_of_the_people_does_not_matter(
    groups: dict[str, int], frozen: dict[str, SplitName], data: st.DataObject
) -> None:
    turned = dict(data.draw(st.permutations(list(groups.items()))))
    assert FLOW.assign(turned, frozen) == FLOW.assign(groups, frozen)


@given(PEOPLE.filter(lambda people: len(people) >= 3), st.sampled_from(["auto", "balanced"]))
def test_three_new_people_or_more_fill_every_side(groups: dict[str, int], mode: Mode) -> None:
    assigned = Splitting(mode=mode).assign(groups, {})
    assert set(assigned.sides.values()) == set(SIDES)
    assert assigned.notes == ()


@given(PEOPLE)
def test_hashed_is_the_hash(groups: dict[str, int]) -> None:
    split = Splitting(mode="hashed")
    assert split.assign(groups, {}).sides == {group: split.side(group) for group in groups}


@given(PEOPLE, st.dictionaries(st.text(max_size=8), st.sampled_from(SIDES)))
def test_a_note_is_there_exactly_where_a_side_is_empty(
    groups: dict[str, int], frozen: dict[str, SplitName]
) -> None:
    assigned = FLOW.assign(groups, frozen)
    empty = set(SIDES) - set(assigned.sides.values())
    assert bool(assigned.notes) == bool(groups and empty)
    assert all(side in note for note in assigned.notes for side in empty)


# ---- the identity file -----------------------------------------------------------------------------------------------


def test_what_was_frozen_is_read_back_and_written_alike(tmp_path: Path) -> None:
    file = tmp_path / "identities.json"
    frozen = Frozen(
        voices={"ab:0": "speaker:ada", "ab:1": "é"}, sides={"speaker:ada": "val", "é": "test"}
    )
    write_frozen(file, frozen)
    assert read_frozen(file, FLOW.side) == frozen
    held = file.read_bytes()
    write_frozen(file, read_frozen(file, FLOW.side))
    assert file.read_bytes() == held


def test_without_a_file_nothing_is_frozen(tmp_path: Path) -> None:
    assert read_frozen(tmp_path / "identities.json", FLOW.side) == Frozen()


def test_people_of_a_file_without_sides_are_where_their_hash_put_them(tmp_path: Path) -> None:
    file = tmp_path / "identities.json"
    groups = on("train", 13)
    file.write_text(json.dumps({f"{number:064x}:0": group for number, group in enumerate(groups)}))
    frozen = read_frozen(file, FLOW.side)
    assert frozen.sides == dict.fromkeys(groups, "train")
    assert FLOW.assign(groups, frozen.sides).sides == frozen.sides


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ('{"ab:0": "speaker:ada"', "delimiter"),
        ("[]", "the file: input should be"),
        ('{"ab:0": 3}', "voices.ab:0: input should be a valid string"),
        ('{"schema_version": 3, "voices": {}, "sides": {}}', "schema_version: input should be 2"),
        ('{"schema_version": 2, "voices": {}, "sides": {"é": "dev"}}', "sides.é: input should be"),
        ('{"schema_version": 2, "voices": {}, "side": {}}', "side: extra inputs are not permitted"),
    ],
)
def test_a_broken_identity_file_is_named_and_not_begun_anew(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "identities.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(IdentityFileError, match=words) as fault:
        read_frozen(file, FLOW.side)
    assert str(file) in str(fault.value) and "\n" not in str(fault.value)
    assert file.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(IdentityFileError, match="directory"):
        read_frozen(tmp_path, FLOW.side)
    (tmp_path / "identities.json").write_bytes(b"\xff")
    with pytest.raises(IdentityFileError, match="utf-8"):
        read_frozen(tmp_path / "identities.json", FLOW.side)


# ---- its settings ----------------------------------------------------------------------------------------------------


def test_the_settings_reach_the_stage() -> None:
    given = ("split.mode=hashed", "split.val=0.2", "split.test=0.3", "split.salt=other")
    assert flow.build(load(None, given)).split == Splitting("other", 0.2, 0.3, "hashed")


def test_shares_of_more_than_one_are_one_sentence() -> None:
    with pytest.raises(
        ConfigError, match=r"val and test are 1 at most together, got 0\.6 and 0\.5"
    ):
        load(None, ("split.val=0.6", "split.test=0.5"))


# ---- people with clips for training only -----------------------------------------------------------------------------


@given(groups=PEOPLE, trained=st.sets(st.text(max_size=8), max_size=9), mode=st.sampled_from(MODES))
def test_who_only_has_clips_for_training_is_in_train_and_moves_nobody(
    groups: dict[str, int], trained: set[str], mode: Mode
) -> None:
    split, trained = Splitting(val=0.25, test=0.25, mode=mode), trained - groups.keys()
    alone, found = split.assign(groups, {}), split.assign(groups, {}, sorted(trained))
    assert {group: found.sides[group] for group in groups} == alone.sides
    assert all(found.side(group) == "train" for group in trained)


def test_who_was_held_out_stays_so_with_clips_for_training_alone() -> None:
    assert FLOW.assign({}, {"voice:1": "val"}, ["voice:1"]).side("voice:1") == "val"
