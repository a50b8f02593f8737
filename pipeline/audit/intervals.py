"""Frames of many intervals counted by the highest rank that covers each: arithmetic on edges, not on frames."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
UNCOVERED = -1


def count_by_rank(start: Ints, stop: Ints, rank: Ints, *, ranks: int) -> Ints:
    """(ranks,) how many frames have each rank; a frame has the highest of the intervals [start, stop) that it lies in.

    rank: 0 to ranks - 1. Frames in no interval are not counted. Empty intervals cover nothing.
    """
    if len(start) == 0:
        return np.zeros(ranks, np.int64)
    edges = np.sort(np.concatenate([start, stop]))  # np.unique hashes integers, which is slower
    edges = edges[np.append(True, np.diff(edges) > 0)]
    first, last = np.searchsorted(edges, start), np.searchsorted(edges, stop)
    pieces = np.maximum(last - first, 0)
    highest = np.full(len(edges) - 1, UNCOVERED, np.int64)
    np.maximum.at(highest, steps(first, pieces), np.repeat(rank, pieces))
    covered = highest != UNCOVERED
    frames = np.bincount(highest[covered], np.diff(edges)[covered], minlength=ranks)
    return frames.astype(np.int64)  # sums of whole numbers below 2^53: exact as floats


def steps(first: Ints, count: Ints) -> Ints:
    """first[0], first[0] + 1, ... count[0] of them, then the same for first[1], and so on."""
    ends = np.cumsum(count)
    return np.arange(ends[-1]) + np.repeat(first - ends + count, count)
