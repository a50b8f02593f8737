"""How many voices a recording holds: groups of window embeddings, halved while the halves are
unlike. Pure arithmetic.

A fixed cosine cannot tell: two people on one telephone line are as alike (0.68) as one person is to
himself between a calm and an excited sentence in a studio (0.60). So groups are compared with how
alike each is to itself.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from pipeline.perception.speech.voices import unit

APART = 1.6
"""Seconds between the middles of two windows from which they share no sound."""
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Grouping:
    """When two groups of windows are two voices; measured by `research/speech_turns.py`.

    hop: seconds between two windows. alike: least likeness (see `likeness`) of one voice's windows.
    least: seconds of speech from which a group can be a voice of its own; from less, one voice's
    moods and two voices look the same.
    """

    hop: float = 0.4
    alike: float = 0.92
    least: float = 3.2


def find_voices(
    vectors: Float32[np.ndarray, "n D"], middles: Float32[np.ndarray, " n"], grouping: Grouping
) -> Int64[np.ndarray, " n"]:
    """The voice of each window, in any numbering.

    vectors: unit length; middles: seconds, sorted. Time and memory grow in proportion to n.
    """
    labels = np.zeros(len(vectors), np.int64)
    waiting, voices = deque([np.arange(len(vectors))]), 0
    while waiting:
        members = waiting.popleft()
        second = halves(vectors[members])
        smaller = min(np.count_nonzero(second), np.count_nonzero(~second))
        if (
            smaller * grouping.hop >= grouping.least
            and likeness(vectors[members], middles[members], second) < grouping.alike
        ):
            waiting += [members[~second], members[second]]
        else:
            labels[members] = voices
            voices += 1
    return _rejoined(vectors, middles, labels, grouping.alike)


def halves(vectors: Float32[np.ndarray, "n D"]) -> Bool[np.ndarray, " n"]:
    """Two groups by spherical 2-means (Dhillon & Modha 2001), begun on either side of the mean
    along the direction of largest variance."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), bool)
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    second = centred @ np.linalg.eigh(centred.T @ centred)[1][:, -1] > 0.0
    for _ in range(_ROUNDS):
        if second.all() or not second.any():
            break
        towards = unit(vectors[second].mean(axis=0)) - unit(vectors[~second].mean(axis=0))
        moved = vectors @ towards > 0.0
        if (moved == second).all():
            break
        second = moved
    return second


def likeness(
    vectors: Float32[np.ndarray, "n D"],
    middles: Float32[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
) -> float:
    """How alike two groups are: their mean cosine over the geometric mean of that within each. 1:
    one voice.

    Spearman's correction for attenuation (1904): a window's embedding is its voice plus what was
    said, and the second part lowers all three means alike. Pairs of windows that share sound are
    left out. A group too short to have other pairs lends its partner's mean; without any, 1.
    """
    total, pairs = np.zeros((2, 2)), np.zeros((2, 2))
    side = second.astype(np.int64)
    sums = np.stack([vectors[~second].sum(axis=0), vectors[second].sum(axis=0)]).astype(np.float64)
    counts = np.bincount(side, minlength=2).astype(np.float64)
    total += sums @ sums.T - np.diag(counts)
    pairs += np.outer(counts, counts) - np.diag(counts)
    for lag in range(1, len(vectors)):
        near = np.flatnonzero(middles[lag:] - middles[:-lag] < APART)
        if len(near) == 0:
            break
        cosine = np.einsum("nd,nd->n", vectors[near], vectors[near + lag])
        for a, b in ((side[near], side[near + lag]), (side[near + lag], side[near])):
            np.subtract.at(total, (a, b), cosine)
            np.subtract.at(pairs, (a, b), 1.0)
    means = np.divide(total, pairs, out=np.full((2, 2), np.nan), where=pairs > 0.5)
    within = np.diag(means)[~np.isnan(np.diag(means))]
    if len(within) == 0 or np.isnan(means[0, 1]):
        return 1.0
    return float(means[0, 1] / np.exp(np.log(within).mean()))


def _rejoined(
    vectors: Float32[np.ndarray, "n D"],
    middles: Float32[np.ndarray, " n"],
    labels: Int64[np.ndarray, " n"],
    alike: float,
) -> Int64[np.ndarray, " n"]:
    """Labels in which the most alike groups were joined until no two are as alike as one voice."""
    while (count := int(labels.max(initial=0)) + 1) > 1:
        best, first, second = max(
            (_between(vectors, middles, labels, a, b), a, b)
            for a in range(count)
            for b in range(a + 1, count)
        )
        if best < alike:
            break
        labels = np.where(labels == second, first, labels)
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return labels


def _between(
    vectors: Float32[np.ndarray, "n D"],
    middles: Float32[np.ndarray, " n"],
    labels: Int64[np.ndarray, " n"],
    a: int,
    b: int,
) -> float:
    both = np.flatnonzero((labels == a) | (labels == b))
    return likeness(vectors[both], middles[both], labels[both] == b)
