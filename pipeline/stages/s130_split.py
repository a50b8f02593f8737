"""Split: train, val or test for each identity group, so that no speaker is on two sides and no side without speakers.

A side that was given is never taken back: it is frozen under the group's name. A new group goes where the salted hash
of its name says. In a small set the hash may leave a side empty; there new groups are moved until each side has one.
A new group that only has clips for training goes to train, and changes nothing for the others.
"""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from manifests.record import SplitName

Mode = Literal["auto", "balanced", "hashed"]
SIDES: tuple[SplitName, ...] = ("train", "val", "test")
RISK = 0.01
"""How often the hash alone may leave a side without people before a set counts as small."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The side of each group of a set, and of every group that ever had one."""

    sides: Mapping[str, SplitName]
    frozen: Mapping[str, SplitName]
    notes: tuple[str, ...]  # sentences for the end of the run: which side has nobody, and why

    def side(self, group: str) -> SplitName:
        """The side of a group that is in the set or was frozen earlier. Raises KeyError for any other."""
        return self.frozen[group]


@dataclass(frozen=True, slots=True)
class Splitting:
    """Fractions of identities, not of clips. salt: another salt is another split; val, test: fractions, 0 to 1.

    mode: `hashed` leaves new groups where the hash puts them; `balanced` moves them to sides that have nobody; `auto`
    is balanced while the set is small.
    """

    name: ClassVar = "split"
    version: ClassVar = 2

    salt: str = "cospeech"
    val: float = 0.05
    test: float = 0.05
    mode: Mode = "auto"

    def assign(
        self,
        groups: Mapping[str, int],
        frozen: Mapping[str, SplitName],
        trained: Collection[str] = (),
    ) -> Assigned:
        """Give each group a side; those in `frozen` keep theirs. groups: frames kept by name, in any order. trained:
        further groups, which only have clips for training.

        A set of as many groups as there are sides, none of them frozen, has somebody on every side, unless `hashed`.
        """
        sides: dict[str, SplitName] = {
            group: frozen.get(group, self.side(group)) for group in sorted(groups)
        }
        if self.balances(len(groups)) and len(groups) >= len(self.wanted):
            for side in self.wanted:
                if side not in sides.values():
                    moved = self.filling(side, sides, groups, frozen)
                    sides.update({group: side for group in moved})
        sides |= {group: frozen.get(group, "train") for group in trained}
        return Assigned(sides, {**frozen, **sides}, self.notes(sides, frozen))

    def side(self, group: str) -> SplitName:
        """Where the hash puts an identity; the same on any machine, whoever else is in the set."""
        place = self.place(group)
        if place < self.test:
            return "test"
        return "val" if place < self.test + self.val else "train"

    def place(self, group: str) -> float:
        """The salted hash of a name, 0 to 1."""
        return int.from_bytes(hashlib.sha256(f"{self.salt}:{group}".encode()).digest()[:8]) / 2**64

    def interval(self, side: SplitName) -> tuple[float, float]:
        """The places that a side covers."""
        edge = self.test + self.val
        return {"test": (0.0, self.test), "val": (self.test, edge), "train": (edge, 1.0)}[side]

    @property
    def wanted(self) -> tuple[SplitName, ...]:
        """The sides that are to have anybody."""
        return tuple(side for side in SIDES if self.interval(side)[0] < self.interval(side)[1])

    @property
    def enough(self) -> int:
        """How many groups the hash needs to leave none of the wanted sides empty, but for a risk of RISK.

        That val, a fraction of 0.05, gets none of n people has the probability 0.95^n; that it or test does, at most
        twice that, which is below 0.01 from 104 people on.
        """
        fractions = [stop - start for start, stop in map(self.interval, self.wanted)]
        return bisect_left(
            range(2**53),
            True,
            key=lambda n: sum((1.0 - fraction) ** n for fraction in fractions) < RISK,
        )

    def balances(self, groups: int) -> bool:
        """Whether empty sides of a set of so many groups are filled."""
        return self.mode == "balanced" or (self.mode == "auto" and groups < self.enough)

    def filling(
        self,
        side: SplitName,
        sides: Mapping[str, SplitName],
        groups: Mapping[str, int],
        frozen: Mapping[str, SplitName],
    ) -> tuple[str, ...]:
        """Who fills a side: the new group whose hash is nearest to it, of a side that keeps somebody else; or nobody.

        The group with most frames goes last, so that a set that is mostly one person is not mostly on_side out.
        """
        on_side = Counter(sides.values())
        first = max(groups, key=lambda group: (groups[group], group))
        free = [group for group in sides if group not in frozen and on_side[sides[group]] > 1]
        nearest = sorted(
            free,
            key=lambda group: (
                group == first and side != "train",
                self.distance(group, side),
                group,
            ),
        )
        return tuple(nearest[:1])

    def distance(self, group: str, side: SplitName) -> float:
        """How far the hash of a name is from the places of a side."""
        place, (start, stop) = self.place(group), self.interval(side)
        return max(start - place, place - stop, 0.0)

    def notes(
        self, sides: Mapping[str, SplitName], frozen: Mapping[str, SplitName]
    ) -> tuple[str, ...]:
        """What to say of sides without people; nothing of a set without any."""
        empty = [side for side in self.wanted if side not in sides.values()]
        if not sides or not empty:
            return ()
        people = len(sides)
        if people < len(self.wanted):
            why = f"the set has {counted(people)}, {len(self.wanted)} are needed"
        elif not self.balances(people):
            why = f"the hash puts none of {counted(people)} there and split.mode is {self.mode}"
        else:
            kept = sum(group in frozen for group in sides)
            why = (
                f"{kept} of {counted(people)} keep the side that an earlier run gave them; "
                f"whoever comes new to the set will fill {' and '.join(empty)}"
            )
        return (f"no person is in {' or '.join(empty)}: {why}",)


def counted(people: int) -> str:
    """A number of people in words."""
    return "1 person" if people == 1 else f"{people} people"
