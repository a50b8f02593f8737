"""How the truth about sync is counted: people apart, cases of foreign voices and planted offsets, axes of others."""

import dataclasses

import numpy as np
import pytest

from pipeline.perception.sync import SyncScore
from pipeline.perception.sync.embedded import OPENS
from pipeline.perception.sync.lipvoice import GROUPS, MEASURES, curve, peak
from research.folds import dealt, groups
from research.recordings import alike
from research.truth import sync
from research.truth.sync import Case, Person, Stretch, auc, dropped, planted, precision, voices
from research.truth.sync_axes import Follow, canonical, fitted
from research.truth.sync_clips import who
from research.truth.sync_fit import PARTS, parted


def still(name: str, frames: int = 250) -> Person:
    """A face that does nothing, with silence."""
    pose = np.zeros((frames, 133, 3), np.float32)
    return Person(name, pose, np.zeros((0, 0, 0, 3), np.uint8), np.zeros(frames * 640, np.int16))


def numbered(name: str, frames: int = 250) -> Person:
    """A face whose sound says which sample it is, within a period of int16."""
    sound = (np.arange(frames * 640) // 640).astype(np.int16)
    return dataclasses.replace(still(name, frames), sound=sound)


def says(offset: float, *, sure: float = 5.0, speaking: float = 1.0) -> SyncScore:
    return SyncScore(round(offset), sure, speaking, offset)


def test_two_clips_of_what_may_be_one_person_are_one_person(faces: list[str]) -> None:
    pair = [f"{clip}.mp4.0" for clip in sorted(alike())]
    assert pair == ["pair-a.mp4.0", "pair-b.mp4.0"]
    assert set(pair) <= set(faces)
    assert len({who(face) for face in pair}) == 1


def test_a_later_stretch_of_a_clip_is_of_the_same_person() -> None:
    assert who("made.mp4@250.0") == who("made.mp4.0") == "desk"


def test_who_shares_a_clip_or_a_person_shares_a_fold() -> None:
    together = [("a",), ("b", "c"), ("c", "d"), ("e",), ("f",)]
    assert groups(together) == [("a",), ("b", "c", "d"), ("e",), ("f",)]
    folds = dealt(together, alone={"a", "e", "f"}, reported={"d"})
    assert {folds[name] for name in "bcd"} == {"report"}
    assert sorted(folds[name] for name in "aef") in (
        ["fit", "fit", "report"],
        ["fit", "report", "report"],
    )


def test_people_who_are_added_to_the_reported_change_no_other_fold() -> None:
    alone = {"a", "b", "c", "d"}
    before = dealt([(name,) for name in "abcd"], alone, set())
    after = dealt([*((name,) for name in "abcd"), ("x", "y")], alone, {"x"})
    assert before.items() <= after.items()


def test_each_part_of_the_people_is_of_people() -> None:
    cast = [still(f"{clip}.mp4.0") for clip in (*sorted(alike()), "talker-00", "talker-01")]
    parts = parted(cast)
    assert set(parts) == {one.who for one in cast} and set(parts.values()) <= set(range(PARTS))


def test_a_foreign_voice_is_of_somebody_else_or_of_another_time() -> None:
    cast = [numbered("pair-a.mp4.0"), numbered("talker-02.mp4.0"), numbered("talker-03.mp4.0")]
    cast.append(numbered("talker-02.mp4@250.0"))
    begins: list[tuple[str, int]] = []

    def judge(person: Person, start: int, stop: int, sound: np.ndarray) -> SyncScore:
        begins.append((person.who, int(sound[15 * 640])))
        return says(0.0)

    made = voices(cast, judge, {"talker-02": "w", "talker-03": "w"})
    kinds = {one.kind for one in made if one.who == "talker-02"}
    assert kinds == {sync.OWN, sync.ANYONE, sync.SAME_SEX, sync.EARLIER}
    assert {one.kind for one in made if one.who == "talker-03"} == kinds - {sync.EARLIER}
    assert len(begins) == len(made)


def test_precision_weighs_own_and_foreign_voices_alike() -> None:
    own = [Case("a", sync.OWN, says(0.0, speaking=-1.0))] + [Case("a", sync.OWN, says(0.0))] * 99
    foreign = [Case("b", sync.ANYONE, says(0.0, speaking=-1.0))] * 2
    foreign += [Case("b", sync.ANYONE, says(0.0))] * 2
    assert dropped([*own, *foreign], sync.ANYONE) == 0.5
    assert precision([*own, *foreign], sync.ANYONE) == pytest.approx(0.5 / 0.51)
    assert auc([*own, *foreign], sync.ANYONE, lambda score: score.speaking) == pytest.approx(0.745)
    assert precision(own[1:], sync.ANYONE) != precision(own[1:], sync.ANYONE)  # not a number


def test_a_planted_offset_is_counted_from_what_other_stretches_say() -> None:
    cast = [numbered("talker-00.mp4.0"), numbered("talker-00.mp4@250.0")]

    def judge(person: Person, start: int, stop: int, sound: np.ndarray) -> SyncScore:
        late = start - 15 - int(sound[0])
        return says(late + 4.0)  # the recording came four frames late

    found = planted(cast, judge, 1.0)
    assert found and all(one.error == pytest.approx(0.0) for one in found if one.error is not None)
    assert {one.late for one in found} >= {-5, 0, 5}
    assert all(one.error is None for one in found if one.late > 11)


def test_a_recording_of_one_stretch_has_no_planted_offset() -> None:
    assert planted([numbered("talker-00.mp4.0", 200)], lambda *_: says(0.0), 1.0) == []


def test_a_stretch_knows_where_in_the_file_it_begins() -> None:
    one = Stretch(still("talker-00.mp4@250.0"), 15)
    assert (one.recording, one.begin) == ("talker-00.mp4", 265)


THIRD = np.eye(len(GROUPS))[2]


def follows(people: int, *, says: np.ndarray = THIRD, late: int = 0) -> list[Follow]:
    """Mouths whose first four measures say what some band groups say, `late` frames later."""
    random = np.random.default_rng(3)
    found = list[Follow]()
    for _ in range(people):
        audio = random.normal(size=(800, len(GROUPS)))
        audio = np.apply_along_axis(np.convolve, 0, audio, np.hanning(17), mode="same")
        spoken = np.roll(audio @ says, -4 * late)[::4, None]
        lips = random.normal(size=(200, MEASURES)) * 0.3
        lips[:, :4] += spoken / spoken.std()
        found.append(Follow(lips, lips, audio / audio.std(axis=0), late=float(late)))
    return found


def test_canonical_axes_listen_to_the_group_that_speaks() -> None:
    axes = canonical(follows(4))
    assert int(np.abs(axes.audio[:, 0]).argmax()) == 2 * len(GROUPS) + 2
    assert axes.weight[0] > 0.9


def test_a_fit_without_a_sure_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="got none from 0 people"):
        canonical([])


@pytest.mark.parametrize("late", [0, 3])
def test_a_fit_finds_the_offsets_of_its_own_people(late: int) -> None:
    axes = fitted(follows(4, says=OPENS, late=late))
    one = follows(5, says=OPENS, late=late)[-1]
    found = peak(curve(one.visual[15:-15], one.audio, axes, margin=15))
    assert found.offset == pytest.approx(late, abs=0.25)
