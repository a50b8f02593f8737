"""Joins the pieces of one person's track that lost them: behind somebody, or too fast for the looks.

Sure pieces first, then whole tracks (Huang et al. 2008, hierarchical association, doi:10.1007/978-3-540-88688-4_58):
the colours of a whole piece are known better than those of one look, of which some show who is in front.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manifests.geometry import FPS, centre
from manifests.record import FaceSample
from pipeline.perception.faces.looks import Look, unlike


@dataclass(frozen=True, slots=True)
class Piece:
    """Faces of one person, in order, and the median of their colours."""

    samples: list[FaceSample]
    look: Look | None


@dataclass(frozen=True, slots=True)
class Join:
    """Which piece may go on as which."""

    most_unlike: float = 0.33  # Hellinger distance of the median colours, 0 to 1
    most_gap: float = 5.0  # seconds without the face
    near: float = 1.0  # face sizes that somebody may be away without moving
    most_speed: float = 4.0  # of the move in between, face sizes a second
    most_growth: float = 1.8  # larger over smaller face height

    def gain(self, first: Piece, second: Piece) -> float:
        """How much likelier than not they are one person, in unlikeness; 0 where they cannot be."""
        last, new = first.samples[-1], second.samples[0]
        gap = (new.frame - last.frame) / FPS
        if not 0.0 < gap <= self.most_gap or first.look is None or second.look is None:
            return 0.0
        size = (last.box[2] + last.box[3] + new.box[2] + new.box[3]) / 4.0
        away = math.dist(centre(last.box), centre(new.box)) / size
        growth = abs(math.log(new.box[3] / last.box[3]))
        if away > self.near + self.most_speed * gap or growth > math.log(self.most_growth):
            return 0.0
        return max(0.0, self.most_unlike - unlike(first.look, second.look))


Pair = tuple[int, int, float]
"""Place of the earlier piece, of the later one, and the gain of joining them, above 0."""


def rejoined(pieces: Sequence[Piece], join: Join | None = None) -> list[list[FaceSample]]:
    """The tracks: every piece goes on as at most one later one, the likeliest set of pairs."""
    then = likeliest(len(pieces), pairs(pieces, join or Join()))
    tracks: list[list[FaceSample]] = []
    for first in sorted(set(range(len(pieces))) - set(then.values())):
        track, at = list(pieces[first].samples), first
        while at in then:
            at = then[at]
            track += pieces[at].samples
        tracks.append(track)
    return tracks


def pairs(pieces: Sequence[Piece], rules: Join) -> list[Pair]:
    """The pairs that may be joined. Of the thousands that a shot may have, only those close in time are compared."""
    starts = np.array([piece.samples[0].frame for piece in pieces])
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    found: list[Pair] = []
    for first, piece in enumerate(pieces):
        last = piece.samples[-1].frame
        # One frame more than the longest gap: `gain` itself says where it ends, whatever was rounded here.
        low, high = np.searchsorted(starts, (last + 1, last + rules.most_gap * FPS + 1.0))
        for second in order[low:high].tolist():
            gain = rules.gain(piece, pieces[second])
            if gain > 0.0:
                found.append((first, second, gain))
    return found


def likeliest(count: int, some: Sequence[Pair]) -> dict[int, int]:
    """For each of `count` pieces that goes on: as which. The set of pairs with the greatest sum of gains.

    Memory grows with the pairs, not with the square of the pieces: an assignment in a sparse table (Jonker and
    Volgenant 1987), in which every piece has a column of its own for going on as none, at gain 0.
    """
    if not some:
        return {}
    from scipy.sparse import csr_array  # slow to import: only where needed
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    none = [(piece, count + piece, 0.0) for piece in range(count)]
    rows, columns, gains = zip(*some, *none, strict=True)
    costs = 1.0 - np.array(gains)  # above 0 throughout: gains are parts of an unlikeness
    table = csr_array((costs, (rows, columns)), shape=(count, 2 * count))
    chosen = zip(*min_weight_full_bipartite_matching(table), strict=True)
    return {int(a): int(b) for a, b in chosen if b < count}
