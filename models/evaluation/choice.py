"""Which clips stand for many: a choice that is even over people and depends on the seed and the clips alone."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from models.data.index import Entry


def evenly(entries: Sequence[Entry], at_most: int | None, *, seed: int) -> list[int]:
    """Numbers of at most so many clips, in ascending order: one of each person, then a second of each, and so on.

    In which order a person's clips are taken, and which people come short in the last round, is decided by a hash of
    (seed, clip id): so a clip that comes or goes changes the choice by little. at_most: None for all. Raises ValueError
    below one.
    """
    if at_most is not None and at_most < 1:
        raise ValueError(f"at least one clip is chosen, got {at_most}")
    if at_most is None or at_most >= len(entries):
        return list(range(len(entries)))
    people: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    for number, entry in enumerate(entries):
        drawn = hashlib.sha256(f"{seed} {entry.id}".encode()).digest()
        people[entry.identity].append((drawn, number))
    ranked = [
        (rank, drawn, number)
        for clips in people.values()
        for rank, (drawn, number) in enumerate(sorted(clips))
    ]
    return sorted(number for _, _, number in sorted(ranked)[:at_most])
