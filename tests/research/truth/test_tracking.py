"""How a tracker is scored on two people of whom it is known who is who."""

from pipeline.perception.faces import Face
from research.truth.tracking import Case, Samples, score

LEFT, RIGHT = (10.0, 10.0, 40.0, 40.0), (200.0, 10.0, 40.0, 40.0)
LOOKS = range(0, 50, 5)
Track = list[tuple[int, tuple[float, ...]]]


def at(box: tuple[float, ...], looks: range = LOOKS) -> Track:
    """One place at some looks, as a track."""
    return [(frame, box) for frame in looks]


def scene() -> Case:
    """Two people who stand still, both found at every look."""
    faces = tuple(Face(box=box, score=0.9, facing=1.0) for box in (LEFT, RIGHT))
    samples: Samples = [(frame, faces) for frame in LOOKS]
    owner = {(frame, box): who for frame in LOOKS for who, box in enumerate((LEFT, RIGHT))}
    return Case("hidden", samples, owner)


def test_one_whole_track_for_each_person_is_clean() -> None:
    one = scene()
    found = score(one, one.samples, [at(LEFT), at(RIGHT)])
    assert found.clean
    assert (found.lost, found.followed, found.owned) == (0, 20, 20)


def test_a_tracker_that_returns_nothing_is_not_clean() -> None:
    one = scene()
    found = score(one, one.samples, [])
    assert not found.clean
    assert (found.switches, found.pieces, found.lost, found.followed) == (0, 0, 2, 0)


def test_one_of_two_people_followed_is_not_clean() -> None:
    one = scene()
    found = score(one, one.samples, [at(RIGHT)])
    assert not found.clean
    assert (found.lost, found.followed, found.owned) == (1, 10, 20)


def test_a_track_that_goes_over_to_the_other_is_a_switch() -> None:
    one = scene()
    found = score(one, one.samples, [at(LEFT, LOOKS[:6]) + at(RIGHT, LOOKS[6:])])
    assert (found.switches, found.lost, found.clean) == (1, 1, False)


def test_pieces_of_one_person_are_counted_beyond_the_first() -> None:
    one = scene()
    found = score(one, one.samples, [at(LEFT, LOOKS[:4]), at(LEFT, LOOKS[5:]), at(RIGHT)])
    assert (found.pieces, found.lost, found.followed, found.clean) == (1, 0, 19, False)


def test_a_face_that_was_not_looked_at_is_not_missed() -> None:
    one = scene()
    found = score(one, one.samples[::2], [at(LEFT, LOOKS[::2]), at(RIGHT, LOOKS[::2])])
    assert found.clean
    assert (found.looks, found.owned, found.followed) == (5, 10, 10)
