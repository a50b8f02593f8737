"""Where a run writes, and about how many system calls of each kind it makes there, so that seeds can draw one."""

from dataclasses import dataclass
from random import Random

from tests.faults.world import DONE


@dataclass(frozen=True, slots=True)
class Place:
    """A pattern of paths, with counts of a run from a finished dataset; from nothing there are `cold` times as many."""

    pattern: str
    write: int
    sync: int
    rename: int
    create: int
    cold: float
    driver: bool  # whether the driver alone writes there

    @property
    def any(self) -> int:
        return self.write + self.sync + self.rename + self.create

    def draw(self, op: str, start: str, numbers: Random) -> int:
        """The number of a call of a kind, `any` or one of `ops`."""
        return numbers.randrange(round(getattr(self, op) * (1.0 if start == DONE else self.cold)))

    @property
    def ops(self) -> list[str]:
        """The kinds of calls that are made there."""
        return [op for op in ("write", "sync", "rename", "create") if getattr(self, op)]


DATASET = Place("*/place/.set.*", 470, 37, 12, 17, 1.0, driver=True)
SCRATCH = Place("*/set.work/scratch-*", 140, 32, 24, 40, 1.3, driver=False)
JOURNAL = Place("*/set.work/journal/*", 18, 20, 0, 3, 3.3, driver=False)
LEDGER = Place("*/set.work/ledger.sqlite*", 19, 3, 0, 2, 2.0, driver=True)
SMALL = Place("*/place/set.work/*.json*", 27, 27, 9, 11, 2.0, driver=False)
SEALS = Place("*/place/set.work/committed*", 1, 2, 1, 1, 1.0, driver=True)
ALL = Place("*/place/*", 667, 150, 50, 143, 1.2, driver=False)
PLACES = (DATASET, SCRATCH, JOURNAL, LEDGER, SMALL)
DRIVERS = (DATASET, LEDGER, SEALS)
