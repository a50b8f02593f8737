"""Cuts and gradual transitions of a video of any length, looked for in a stretch that rolls along."""

from math import ceil

import numpy as np
from jaxtyping import UInt8

from pipeline.perception.shots.blends import Blends
from pipeline.perception.shots.cuts import Cuts, Grey, Span
from pipeline.perception.shots.gradual import Gradual

REACH_S = 5.0  # seconds: what lies farther away does not change what is found at a place
BLOCK = 4096  # pictures kept, at most, at usual frame rates


class Rolling:
    """Takes the small grey pictures of one video in order; what is settled is forgotten.

    A stretch is cut where nothing happens, so that the answer is that for the whole video at once.
    """

    def __init__(self, cuts: Cuts, gradual: Gradual, blends: Blends, *, fps: float) -> None:
        self._cuts, self._gradual, self._blends, self._fps = cuts, gradual, blends, fps
        self._step = max(1, round(fps / blends.samples_per_second))
        self._reach = max(16, ceil(REACH_S * fps))
        self._block = max(BLOCK, 8 * self._reach)
        self._kept: list[UInt8[np.ndarray, "h w"]] = []
        self._base = 0  # place of the first that is kept
        self._settled = 0  # place of the first without an answer
        self._lit = False  # whether any picture was not black
        self._found = list[int]()
        self._spans = list[Span]()

    def add(self, grey: UInt8[np.ndarray, "h w"]) -> None:
        """Take the next picture."""
        self._kept.append(grey)
        if len(self._kept) >= self._block:
            self._settle(last=False)

    def finish(self) -> tuple[list[int], list[Span]]:
        """Places that start a new shot at once, and places [first, stop) inside gradual transitions.

        A video that is black throughout has nothing to lead from or to.
        """
        if self._kept:
            self._settle(last=True)
        return self._found, self._spans if self._lit else []

    def _settle(self, *, last: bool) -> None:
        """Add what is found up to a quiet place, and forget the pictures before it."""
        cuts, spans = self._look(np.stack(self._kept))
        begin, count = self._settled - self._base, len(self._kept)
        stop = count if last else quiet(spans, begin, count - self._reach)
        self._found += [self._base + cut for cut in cuts if begin <= cut < stop]
        inside = [(max(first, begin), min(end, stop)) for first, end in spans]
        self._spans += [(self._base + a, self._base + b) for a, b in inside if a < b]
        self._settled = self._base + stop
        forgotten = max(0, stop - self._reach)
        del self._kept[:forgotten]
        self._base += forgotten

    def _look(self, grey: Grey) -> tuple[list[int], list[Span]]:
        self._lit = self._lit or bool((grey.mean(axis=(1, 2)) >= self._gradual.black).any())
        cuts, flashes = self._cuts.find(grey, fps=self._fps)
        spans = self._gradual.find(grey, fps=self._fps, flashes=flashes)
        sudden = [(cut, cut + 1) for cut in cuts] + flashes
        first = -self._base % self._step  # the same pictures wherever a stretch begins
        short = round(self._gradual.short_s * self._fps) + 2 * self._step
        for a, b in self._blends.find(grey[first :: self._step]):
            blend = first + a * self._step, first + (b - 1) * self._step + 1
            apart = not any(touch(blend, other) for other in (*spans, *sudden))
            if apart and not self._gradual.is_back(grey, blend, short):
                spans.append(blend)
        return cuts, sorted(spans)


def touch(a: Span, b: Span) -> bool:
    """Whether two spans have a place in common, or lie side by side."""
    return a[0] <= b[1] and b[0] <= a[1]


def quiet(spans: list[Span], begin: int, latest: int) -> int:
    """The last place up to `latest` that no span holds; `latest` where there is none in the later half."""
    free = np.ones(latest + 1, dtype=bool)
    for first, stop in spans:
        free[first:stop] = False
    places = np.flatnonzero(free[(begin + latest) // 2 :])
    return (begin + latest) // 2 + int(places[-1]) if len(places) else latest
