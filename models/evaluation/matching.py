"""Whether a face's own voice fits it better than the same voice at another time, and than other people's voices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.perception.resampling import Interval, bootstrap
from pipeline.perception.sync.interface import REACH

NEAREST = 2
"""Frames from which on the own voice counts as shifted: Chung & Zisserman 2016 take one frame off for right."""
CHANCE: Mapping[str, float] = {
    "own_over_shifted": 0.5,
    "own_over_foreign": 0.5,
    "offset_within_1": 3 / (2 * REACH + 1),
}
"""Of each figure, what a network gives that has learned nothing."""
MEANING: Mapping[str, str] = {
    "own_over_shifted": f"one window: own voice fits better than itself {NEAREST} to {REACH} frames off",
    "own_over_foreign": "a clip: own voice fits better than another person's",
    "offset_within_1": f"a clip: offset found within one frame, of {2 * REACH + 1}",
}


@dataclass(frozen=True, slots=True)
class Match:
    """How well voices fit one face, higher is better, at moments of a clip.

    own: at offsets of -15 to 15 frames of the own voice. foreign: of other people's voices, none late.
    """

    own: Float[np.ndarray, "moment 31"]
    foreign: Float[np.ndarray, "voice moment"]

    def figures(self) -> dict[str, float]:
        """One value of each figure of `CHANCE`, 0 to 1; that of other voices is absent where there are none."""
        right, lags = self.own[:, REACH], np.arange(-REACH, REACH + 1)
        shifted = self.own[:, np.abs(lags) >= NEAREST]
        best = int(lags[np.argmax(self.own.mean(axis=0))])
        found = {
            "own_over_shifted": wins(right[:, None], shifted),
            "offset_within_1": float(abs(best) <= 1),
        }
        if len(self.foreign):
            found["own_over_foreign"] = wins(right.mean(), self.foreign.mean(axis=1))
        return found

    def loss(self) -> float:
        """Cross entropy of the right offset among the 31."""
        highest = self.own.max(axis=1, keepdims=True)
        every = np.log(np.exp(self.own - highest).sum(axis=1)) + highest[:, 0]
        return float((every - self.own[:, REACH]).mean())


def wins(one: np.ndarray | np.floating, others: np.ndarray) -> float:
    """The fraction of the others that are lower; an equal one counts half."""
    return float(((one > others) + 0.5 * (one == others)).mean())


def intervals(
    found: Sequence[Mapping[str, float]], people: Sequence[str], *, seed: int
) -> dict[str, Interval]:
    """Each figure's mean over clips with its 95 % interval over people, who are resampled with all their clips.

    people: who each clip is of.
    """
    kept: dict[str, Interval] = {}
    for name in CHANCE:
        rows = [n for n, figures in enumerate(found) if name in figures]
        if rows:
            values = np.array([found[n][name] for n in rows])
            kept[name] = bootstrap(values, groups=[people[n] for n in rows], seed=seed)
    return kept
