"""Which clip stands at which place of a training run: a pure function of seed, epoch and position.

Nothing is iterated to get somewhere: the batch of step one million costs what the first one costs, with any number of
ranks and workers, so resuming is exact and at once.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Place:
    """One sample of a run: the clip's number in the index, and which time round it is."""

    epoch: int
    clip: int


@dataclass(frozen=True, slots=True)
class Order:
    """The global order of a run. Each epoch is a permutation of all clips; a batch may reach over its end.

    Raises ValueError for an empty set.
    """

    seed: int
    clips: int

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise ValueError(f"an order needs one clip, got {self.clips}")

    def at(self, position: int) -> Place:
        """The sample at a position of the run, 0 and up. Raises ValueError below 0."""
        if position < 0:
            raise ValueError(f"a position is 0 or more, got {position}")
        epoch, within = divmod(position, self.clips)
        return Place(epoch, int(permutation(self.seed, epoch, self.clips)[within]))

    def batch(self, step: int, size: int, *, rank: int = 0, ranks: int = 1) -> list[Place]:
        """This rank's part of a step's batch. size: samples per rank.

        All ranks' parts, one after the other, are the same samples for any number of ranks at one global batch size.
        """
        if not 0 <= rank < ranks:
            raise ValueError(f"a rank is 0 to {ranks - 1}, got {rank}")
        first = (step * ranks + rank) * size
        return [self.at(first + place) for place in range(size)]


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, clips: int) -> NDArray[np.int64]:
    """The order of one epoch, from a counter-based generator (Philox, Salmon et al. 2011)."""
    order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(clips)
    order.flags.writeable = False
    return order


def sample_rng(seed: int, clip_id: str, epoch: int) -> np.random.Generator:
    """The randomness of one clip in one epoch, whoever loads it and whenever. clip_id: 24 hexadecimal digits."""
    return np.random.Generator(np.random.Philox(key=[seed ^ epoch << 32, int(clip_id[:16], 16)]))
