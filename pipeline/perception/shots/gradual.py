"""Gradual transitions: every picture between the old shot and the new is made of both.

In a dissolve, or a fade from or to one colour, it is a mixture: a + fraction * (b - a). In a wipe each of its
pixels is one of a or of b; in a push one or both of them move (`pushes`). People and cameras that move
change as much, but what they give is neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int16, Int64, UInt8

from pipeline.perception.shots.blends import runs
from pipeline.perception.shots.cuts import AROUND, Grey, Span, distance, steps
from pipeline.perception.shots.pushes import off_pan, off_push

BLOCK = 512  # windows computed at once


@dataclass(frozen=True, slots=True)
class Gradual:
    """What counts as a gradual transition, on grey pictures of 32 pixels. `docs/decisions/0008` has what was measured.

    A window is a picture with those `half` before and after it; the two ends are compared with three in between.
    """

    halves_s: tuple[float, ...] = (0.08, 0.12, 0.24, 0.4, 0.7, 1.0)  # seconds
    least_change: float = 5.0  # grey levels of 255, mean, between the ends
    changed: float = 0.25  # fraction of pixels that are off anything near them in the other end
    most_mixed: float = 0.25  # ratio: distance from the line between the ends, over the ends' own
    most_either: float = 0.13  # ratio: distance from the nearer end, over that of the ends
    most_pushed: float = 0.14  # ratio: distance from the old picture with the new one moving in
    least_apart: float = 0.25  # ratio: distance of the middle of a push from either end, at least
    least_pan: float = 0.4  # ratio: distance from a pan by up to three quarters of the picture
    pushed_change: float = 0.5  # fraction of pixels that are off anything near them after a push
    most_sudden: float = 0.4  # ratio: the largest step in the window over its whole change
    middle: tuple[float, float] = (0.2, 0.8)  # fraction of the way that the middle picture has gone
    plain: float = 2.5  # grey levels: standard deviation below which a picture is one colour
    black: float = (
        4.0  # grey levels: mean below which a picture is black, whatever is written in it
    )
    join_s: float = 0.12  # seconds: pieces of one transition are no farther apart
    same: float = 0.25  # fraction of changed pixels below which the shot before goes on behind it
    short_s: float = 0.6  # seconds: what lasts longer may lead back to its own shot, out and in
    room_s: float = (
        0.12  # seconds by which it reaches beyond the middle parts of its windows, at most
    )
    edge: float = 0.04  # fraction of the way at which a transition is taken to begin and to end

    def find(self, grey: Grey, *, fps: float, flashes: Sequence[Span] = ()) -> list[Span]:
        """Places [first, stop) inside gradual transitions, in order, apart from each other.

        flashes: what looks like a fade in them is none.
        """
        inside, lit = np.zeros(len(grey), dtype=bool), np.zeros(len(grey), dtype=bool)
        for first, stop in flashes:
            lit[first - 1 : stop + 2 + (stop - first) // 2] = True  # its last light, too
        for window, half in self.windows(grey, steps(grey), fps):
            if not (lit[window] or lit[window + 2 * half]):  # from a flash or to one
                inside[window + half - half // 2 : window + half + half // 2 + 1] = True
        plain = self.empty(grey)
        inside[lit] = plain[lit] = False
        inside |= plain
        close_gaps(inside, round(self.join_s * fps))
        room = max(2, round(self.room_s * fps))

        def widened(first: int, stop: int) -> Span:
            return max(0, first - room), min(len(grey), stop + room)

        return [
            span
            for first, stop in runs(inside)
            if (span := self.trimmed(grey, plain, *widened(first, stop))) is not None
            and not self.is_back(grey, span, round(self.short_s * fps))
        ]

    def windows(
        self, grey: Grey, changes: Float[np.ndarray, "frame"], fps: float
    ) -> list[tuple[int, int]]:
        """(first place, half) of the windows that lie in a gradual transition."""
        found, rest = list[tuple[int, int]](), list[tuple[int, int]]()
        for half in sorted({max(2, round(seconds * fps)) for seconds in self.halves_s}):
            count = len(grey) - 2 * half
            for first in range(0, count, BLOCK):
                last = min(first + BLOCK, count)
                places = np.arange(first, last)
                change = distance(grey[first:last], grey[first + 2 * half : last + 2 * half])
                sudden = np.max([changes[places + k] for k in range(1, 2 * half + 1)], axis=0)
                likely = (change >= self.least_change) & (sudden <= self.most_sudden * change)
                if likely.any():
                    good = self.between(grey, places[likely], half)
                    found += [(int(place), half) for place in places[likely][good]]
                    rest += [(int(place), half) for place in places[likely][~good]]
        for first in range(0, len(rest), BLOCK):
            part = np.array(rest[first : first + BLOCK])
            ends = grey[part[:, 0]].astype(np.int16), grey[part.sum(axis=1) + part[:, 1]]
            middle = grey[part.sum(axis=1)].astype(np.int16)
            good = self.pushed(ends[0], ends[1].astype(np.int16), middle)
            found += [(int(place), int(half)) for place, half in part[good]]
        return found

    def between(
        self, grey: Grey, places: Int64[np.ndarray, "window"], half: int
    ) -> Bool[np.ndarray, "window"]:
        """Which of the windows go from one end to the other by mixing or by replacing."""
        a, b = grey[places].astype(np.int16), grey[places + 2 * half].astype(np.int16)
        mixed, either = np.zeros(len(places)), np.zeros(len(places))
        ways = list[Float[np.ndarray, "window"]]()
        for at in (half - half // 2, half, half + half // 2):
            way, off_line, off_ends = between_ends(a, b, grey[places + at].astype(np.int16))
            ways.append(way)
            mixed, either = np.maximum(mixed, off_line), np.maximum(either, off_ends)
        low, high = self.middle
        onward = (ways[0] <= ways[1]) & (ways[1] <= ways[2]) & (low <= ways[1]) & (ways[1] <= high)
        good = onward & ((mixed <= self.most_mixed) | (either <= self.most_either))
        good[good] = new_share(a[good], b[good]) >= self.changed
        return good

    def pushed(
        self,
        a: Int16[np.ndarray, "window h w"],
        b: Int16[np.ndarray, "window h w"],
        middle: Int16[np.ndarray, "window h w"],
    ) -> Bool[np.ndarray, "window"]:
        """Whether the middle picture is one that is being pushed out of view by another, or covered."""
        apart = np.minimum(*(np.abs(middle - end).mean(axis=(1, 2)) for end in (a, b)))
        found = apart >= self.least_apart * np.abs(b - a).mean(axis=(1, 2))
        found[found] = new_share(a[found], b[found]) >= self.pushed_change
        found[found] = off_push(a[found], b[found], middle[found]) <= self.most_pushed
        found[found] = off_pan(a[found], b[found]) >= self.least_pan
        return found

    def empty(self, grey: Grey) -> Bool[np.ndarray, "frame"]:
        """Which pictures show nothing: the black or white in the middle of a fade.

        Where every picture is of one colour, that colour is what is shown, and only black is nothing.
        """
        means, stds = np.empty(len(grey)), np.empty(len(grey))
        for first in range(0, len(grey), BLOCK):
            part = slice(first, first + BLOCK)
            means[part], stds[part] = (
                grey[part].mean(axis=(1, 2)),
                grey[part].std(axis=(1, 2)),
            )
        black, flat = means < self.black, stds < self.plain
        return black if flat.all() else black | flat

    def trimmed(
        self, grey: Grey, plain: Bool[np.ndarray, "frame"], first: int, stop: int
    ) -> Span | None:
        """The span without those pictures at its ends that are still the old shot, or already the new.

        None where nothing is left. Where the picture is of one colour in between, each side is seen by itself.
        """
        bare = np.flatnonzero(plain[first:stop]) + first
        into, out_of = (int(bare[0]), int(bare[-1])) if len(bare) else (stop - 1, first)
        start = first if into == first else first + self._still(grey[first : into + 1])
        end = stop if out_of == stop - 1 else stop - self._still(grey[out_of:stop][::-1])
        return (start, end) if start < end else None

    def _still(self, pictures: Grey) -> int:
        """How many pictures at the beginning have not yet left the first for the last."""
        a, b = pictures[:1].astype(np.int16), pictures[-1:].astype(np.int16)
        gone = between_ends(a, b, pictures.astype(np.int16))[0] > self.edge
        return int(np.argmax(gone)) if gone.any() else len(pictures)

    def is_back(self, grey: Grey, span: Span, short: int) -> bool:
        """Whether the shot before a short span goes on behind it: a flash, a lamp, something that passed."""
        first, stop = span
        if stop - first > short or first == 0 or stop >= len(grey):
            return False
        farther = [k for k in (0, short // 4, short // 2) if k < first and stop + k < len(grey)]
        before = grey[[first - 1 - k for k in farther]].astype(np.int16)
        after = grey[[stop + k for k in farther]].astype(np.int16)
        return float(new_share(before, after).min()) < self.same


def between_ends(
    a: Int16[np.ndarray, "#window h w"],
    b: Int16[np.ndarray, "#window h w"],
    picture: Int16[np.ndarray, "window h w"],
) -> tuple[Float[np.ndarray, "window"], Float[np.ndarray, "window"], Float[np.ndarray, "window"]]:
    """Where a picture is between two others: its fraction of the way, and two distances over the ends' own.

    The first distance is that from the mixture of this fraction: 0 in a dissolve. The second: from the nearer end,
    pixel by pixel: 0 in a wipe, and half in the middle of a dissolve.
    """
    way, gone = (b - a).astype(np.float32), (picture - a).astype(np.float32)
    length = np.einsum("thw,thw->t", way, way)
    fraction = np.einsum("thw,thw->t", gone, np.broadcast_to(way, gone.shape)) / np.maximum(
        length, 1.0
    )
    size = np.abs(way).mean(axis=(1, 2)) + 0.5
    off_line = np.abs(gone - fraction[:, None, None] * way).mean(axis=(1, 2)) / size
    off_ends = np.minimum(np.abs(gone), np.abs(gone - way)).mean(axis=(1, 2)) / size
    return fraction, off_line, off_ends


def new_share(
    a: Int16[np.ndarray, "window h w"], b: Int16[np.ndarray, "window h w"]
) -> Float[np.ndarray, "window"]:
    """Fraction of the pixels that are more than NEAR off everything next to them in the other picture, of both."""
    one, other = a.astype(np.uint8), b.astype(np.uint8)
    off = np.add(_off(one, other), _off(other, one), dtype=np.uint16)
    return (off > 2 * NEAR).mean(axis=(1, 2))


NEAR = 4  # grey levels: coding noise and slow movement stay below


def _off(
    a: UInt8[np.ndarray, "window h w"], b: UInt8[np.ndarray, "window h w"]
) -> UInt8[np.ndarray, "window h w"]:
    """By how much each pixel of b is outside of what the 3x3 pixels of a around it span."""
    import cv2

    high, low = _around(a, cv2.dilate, 0), _around(a, cv2.erode, 255)
    return np.where(b > high, b - high, np.where(b < low, low - b, 0))


def _around(
    a: UInt8[np.ndarray, "window h w"], pick: Callable[..., np.ndarray], seam: int
) -> UInt8[np.ndarray, "window h w"]:
    """The least or the greatest of the 3x3 pixels around each; all pictures in one, with a seam between them."""
    count, high, wide = a.shape
    tall = np.full((count, high + 1, wide), seam, np.uint8)
    tall[:, :high] = a
    if count == 0:
        return a
    picked = np.asarray(pick(tall.reshape(-1, wide), AROUND), dtype=np.uint8)
    return picked.reshape(tall.shape)[:, :high]


def close_gaps(flags: Bool[np.ndarray, "frame"], widest: int) -> None:
    """Make true, in place, what lies between two true values no more than `widest` apart."""
    for (_, stop), (first, _) in pairwise(runs(flags)):
        if first - stop <= widest:
            flags[stop:first] = True
