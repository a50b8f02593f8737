"""How the truth about sync is counted: thresholds from other people, intervals over people, axes from other people."""

import numpy as np
import pytest

from pipeline.perception.sync import SyncScore
from pipeline.perception.sync.embedded import OPENS
from pipeline.perception.sync.lipvoice import GROUPS, MEASURES, curve, peak
from research.recordings import alike
from research.truth.sync import (
    HOP,
    Answered,
    Case,
    Filtered,
    answered,
    choices,
    filtered,
    interval,
    share,
    threshold,
)
from research.truth.sync_axes import Follow, canonical, fitted
from research.truth.sync_clips import Person, half_of, who
from research.truth.sync_judges import FOLDS, folds_of
from research.truth.sync_whole import Foreign, Whole, by_chance, foreign_voices, limit


@pytest.fixture
def names(faces: list[str]) -> list[str]:
    """Everybody who talks."""
    return sorted({who(face) for face in faces})


@pytest.fixture
def sides(names: list[str]) -> list[list[str]]:
    """Both halves of them."""
    return [[name for name in names if half_of(name) == side] for side in (0, 1)]


def still(name: str, frames: int = 150) -> Person:
    """A face that does nothing, with silence."""
    pose = np.zeros((frames, 133, 3), np.float32)
    return Person(name, pose, np.zeros((0, 0, 0, 3), np.uint8), np.zeros(frames * 640, np.int16))


def cases(names: list[str], sure: float, *, right: bool, times: int = 5) -> list[Case]:
    return [Case(name, right, sure) for name in names for _ in range(times)]


def test_the_halves_are_equal_but_for_one_person(sides: list[list[str]]) -> None:
    assert abs(len(sides[0]) - len(sides[1])) <= 1


def test_two_clips_of_what_may_be_one_person_are_one_person(
    faces: list[str], names: list[str]
) -> None:
    pair = [f"{clip}.mp4.0" for clip in sorted(alike())]
    assert pair == ["pair-a.mp4.0", "pair-b.mp4.0"]
    assert set(pair) <= set(faces)
    assert len({who(face) for face in pair}) == 1
    folds = folds_of(faces)
    assert folds[pair[0]] == folds[pair[1]]
    assert len(names) == len(faces) - 1


def test_no_person_is_in_two_folds(faces: list[str], names: list[str]) -> None:
    folds = folds_of(faces)
    people = {(who(face), fold) for face, fold in folds.items()}
    assert len(people) == len(names)
    assert set(folds.values()) == set(range(FOLDS))


def test_nobody_is_their_own_foil() -> None:
    cast = [still(f"{clip}.mp4.0") for clip in sorted(alike())]
    cases = choices(cast, cast, lambda *_: SyncScore(0, 1.0, 1.0), hop=HOP, each=2)
    assert cases == []


def test_a_threshold_is_the_lowest_from_which_enough_are_right(sides: list[list[str]]) -> None:
    some = cases(sides[0][:4], 3.0, right=True) + cases(sides[0][:4], 1.0, right=False)
    assert threshold(some) == 3.0


def test_one_lucky_person_sets_no_threshold(sides: list[list[str]]) -> None:
    some = cases(sides[0][:1], 3.0, right=True, times=50)
    assert threshold(some + cases(sides[0][1:5], 1.0, right=False)) is None


def test_a_threshold_is_used_on_the_other_half_of_the_people_only(sides: list[list[str]]) -> None:
    good = cases(sides[0], 3.0, right=True) + cases(sides[0], 1.0, right=False)
    other = cases(sides[1], 2.0, right=False) + cases(sides[1], 4.0, right=False)
    found: Answered = answered(good + other)
    assert found.limits == (None, 3.0)
    assert {one.sure for one in found.kept} == {4.0}
    assert not any(one.right for one in found.kept)


def test_a_case_without_a_sure_reference_is_not_asked(sides: list[list[str]]) -> None:
    some = [Case(n, True, 3.0, known=3.0) for side in sides for n in side]
    vague = [Case(n, False, 3.0, known=0.0) for side in sides for n in side]
    found = answered(some + vague)
    assert len(found.asked) == len(found.kept) == len(some)


def test_the_interval_is_over_people_and_not_over_cases() -> None:
    few = cases(["a"], 1.0, right=True, times=100) + cases(["b"], 1.0, right=False, times=100)
    assert interval(few, share) == (0.0, 1.0)


def test_a_filter_is_fitted_on_one_half_and_counted_on_the_other(names: list[str]) -> None:
    values = [
        Filtered(name, fault, value)
        for name in names
        for fault, value in ((True, 0.0), (True, 0.5), (False, 2.0), (False, 3.0))
    ]
    cells = filtered(values).split(" | ")
    assert cells[0] == "38 + 38"
    assert cells[1:4] == ["1.00", "1.000", "1.000"]


def test_of_what_is_sure_as_much_is_chance_as_foreign_voices_are_sure() -> None:
    own = [Whole(name, 3.0, 0.1) for name in "abcd"] + [Whole("e", 0.5, None)]
    foreign = [
        Foreign(name, 3.5 if name == "a" else 0.1) for name in "abcdefghij" for _ in range(2)
    ]
    assert by_chance(own, foreign, 3.0) == pytest.approx(0.1 / 0.8)
    assert by_chance(own, foreign, 0.5) == pytest.approx(0.1)
    assert by_chance(own, [], 0.5) != by_chance(own, [], 0.5)  # not a number


def test_each_face_counts_alike_however_many_voices_it_was_given() -> None:
    own = [Whole(name, 3.0, 0.1) for name in "abcd"]
    fooled = [Foreign(name, 3.5) for name in "abc"]
    assert by_chance(own, fooled + [Foreign("d", 0.1)] * 97, 3.0) == pytest.approx(0.75)


def test_the_limit_is_the_lowest_above_which_chance_is_rare() -> None:
    own = [
        Whole(name, sure, 0.1)
        for name, sure in zip("abcde", (5.0, 4.0, 3.0, 2.0, 1.0), strict=True)
    ]
    foreign = [Foreign("a", 1.5)] * 10 + [Foreign("a", 0.1)] * 90
    assert limit(own, foreign) == 2.0
    assert limit(own, [Foreign("a", 6.0)]) is None
    assert limit(own, []) is None


def test_few_people_set_no_limit() -> None:
    own = [Whole(name, 5.0, 0.1) for name in "aabb"]
    assert limit(own, [Foreign("a", 0.0)]) is None


def test_a_voice_is_foreign_only_to_another_person_and_as_long_as_the_clip() -> None:
    pair = [still(f"{clip}.mp4.0", 150) for clip in sorted(alike())]
    long, short = still("talker-00.mp4.0", 200), still("talker-01.mp4.0", 109)
    cast = [*pair, long, short]
    made = foreign_voices(cast, lambda *_: SyncScore(0, 1.0, 1.0))
    wanted = [
        face.who
        for face in cast
        for voice in cast
        if voice.who != face.who
        and half_of(voice.who) == half_of(face.who)
        and len(voice) >= 0.9 * len(face)
    ]
    assert [one.person for one in made] == wanted and wanted


def test_people_who_are_added_change_nobodys_fold(faces: list[str]) -> None:
    more = ["made.mp4@250.0", "listener.mp4.0"]
    assert folds_of(faces).items() <= folds_of([*faces, *more]).items()


def test_a_later_stretch_of_a_clip_is_of_the_same_person() -> None:
    assert who("made.mp4@250.0") == who("made.mp4.0") == "desk"


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
