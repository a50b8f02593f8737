"""Who is the same speaker over the whole set, and which recordings carry the same sound: pure
functions on arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int16, Int64, UInt32

RATE = 16_000
HOP = 200
"""Samples between two words of a fingerprint, 12.5 ms."""
HOP_SECONDS = HOP / RATE
_FRAME = 6_000
_EDGES = np.geomspace(300.0, 2_000.0, 34)
_BLOCK = 2_048

DUPLICATE = 0.65
"""Fraction of equal bits from which two stretches are one recording: Haitsma & Kalker 2002, section
4.2, a bit error rate of 0.35."""
_LEAST_SECONDS = 3.0
_COMMON = 64
"""Words that more fingerprints than this fraction tell nothing and are not looked up."""


@dataclass(frozen=True, slots=True)
class Match:
    """How alike two recordings sound where they fit best. similarity: fraction of equal bits, 0.5 for
    unrelated sound. lag: seconds by which the second one starts later on the first one's clock."""

    similarity: float
    lag: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two recordings, by their places in the list, that carry one sound."""

    first: int
    second: int
    match: Match


# ---- voices ------------------------------------------------------------------------------------


def group_voices(
    voices: Float32[np.ndarray, "n D"], must_link: Sequence[tuple[int, int]], threshold: float
) -> Int64[np.ndarray, " n"]:
    """The speaker of each voice, numbered by first appearance.

    Average linkage on the cosine (Sokal & Michener 1958), stopped at `threshold`; pairs in
    `must_link` are together whatever they sound like. voices: unit length, or zero where a voice is
    not known, which is like nobody. The partition does not depend on the order of the voices.
    Raises ValueError for a threshold outside [-1, 1], a link to a voice that is not there, or a
    voice of another length.

    Exact without holding all pairs: a merge at a mean cosine of `threshold` needs one pair that
    reaches it, so groups never cross the components of the graph of such pairs.
    """
    _check(voices, must_link, threshold)
    if len(voices) == 0:
        return np.zeros(0, np.int64)
    order = np.lexsort(voices.T[::-1])
    place = np.argsort(order, kind="stable")
    ordered = voices[order]
    links = place[np.asarray(must_link, np.int64).reshape(-1, 2)]
    tied = _components(len(voices), links)
    labels = np.zeros(len(voices), np.int64)
    component = _components(len(voices), np.concatenate([links, _near(ordered, threshold)]))
    for number in range(int(component.max()) + 1):
        members = np.flatnonzero(component == number)
        inside = _linked(ordered[members], tied[members], threshold)
        labels[members] = inside + int(labels.max()) + 1
    return _by_appearance(labels[place])


def _check(
    voices: Float32[np.ndarray, "n D"], must_link: Sequence[tuple[int, int]], threshold: float
) -> None:
    if not -1.0 <= threshold <= 1.0:
        raise ValueError(f"a cosine threshold lies in [-1, 1], got {threshold}")
    for pair in must_link:
        if not all(0 <= place < len(voices) for place in pair):
            raise ValueError(f"must_link names {pair}, there are {len(voices)} voices")
    length = np.linalg.norm(voices, axis=1)
    wrong = length[(length > 0.0) & (np.abs(length - 1.0) > 1e-3)]
    if len(wrong):
        raise ValueError(f"voices have unit length or are zero, got {wrong[0]:.4f}")


def _components(count: int, links: Int64[np.ndarray, "m 2"]) -> Int64[np.ndarray, " n"]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _near(voices: Float32[np.ndarray, "n D"], threshold: float) -> Int64[np.ndarray, "m 2"]:
    """Pairs whose cosine reaches the threshold, block by block; a hair below it too, so that
    rounding loses none."""
    found = [np.zeros((0, 2), np.int64)]
    for first in range(0, len(voices), _BLOCK):
        pairs = np.argwhere(voices[first : first + _BLOCK] @ voices[first:].T >= threshold - 1e-5)
        found.append((pairs[pairs[:, 0] < pairs[:, 1]] + first).astype(np.int64))
    return np.concatenate(found)


def _linked(
    voices: Float32[np.ndarray, "n D"], tied: Int64[np.ndarray, " n"], threshold: float
) -> Int64[np.ndarray, " n"]:
    if len(voices) < 2:
        return np.zeros(len(voices), np.int64)
    wide = voices.astype(np.float64)
    distance = np.clip(1.0 - wide @ wide.T, 0.0, 2.0)
    distance = (distance + distance.T) / 2.0
    # Voices that must be together are at no distance, so they merge first and then count as what
    # they are: a group.
    distance[tied[:, None] == tied[None]] = 0.0
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(distance, checks=False), "average")
    return fcluster(tree, max(1.0 - threshold, 0.0), "distance").astype(np.int64) - 1


def _by_appearance(labels: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


# ---- sound -------------------------------------------------------------------------------------


def fingerprint(samples: Int16[np.ndarray, " samples"]) -> UInt32[np.ndarray, " n"]:
    """One 32-bit word per 12.5 ms of 16 kHz mono sound (Haitsma & Kalker 2002, section 4.2).

    Bit b says whether the energy difference between bands b and b + 1 grew since the word before;
    33 bands from 300 to 2000 Hz, windows of 0.375 s. A word over digital silence is 0. Shorter
    sound than 0.3875 s has none.

    Differs from the paper: 16 kHz and 12.5 ms instead of 5 kHz and 11.6 ms.
    """
    count = max(0, (len(samples) - _FRAME) // HOP + 1)
    if count < 2:
        return np.zeros(0, np.uint32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::HOP]
    energy = np.concatenate([_bands(windows[at : at + 512]) for at in range(0, count, 512)])
    steps = energy[:, :-1] - energy[:, 1:]
    bits = steps[1:] - steps[:-1] > 0.0
    return bits @ (np.uint32(1) << np.arange(32, dtype=np.uint32))


def _bands(windows: Int16[np.ndarray, "n 6000"]) -> np.ndarray:
    shape = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(windows.astype(np.float32) * shape, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    edges = np.rint(_EDGES * _FRAME / RATE).astype(np.int64)
    return np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1, dtype=np.float64)


def same_sound(
    a: UInt32[np.ndarray, " n"], b: UInt32[np.ndarray, " m"], least: float = _LEAST_SECONDS
) -> Match:
    """The best fit of two fingerprints over all lags that leave `least` seconds of sound in both.

    Words over silence are left out. Similarity 0, lag 0 where no lag leaves enough.
    """
    lags = range(-(len(b) - 1), len(a))
    fits = (Match(_equal_bits(a, b, lag, least), lag * HOP_SECONDS) for lag in lags)
    return max(fits, key=lambda match: (match.similarity, -abs(match.lag)), default=Match(0.0, 0.0))


def _equal_bits(
    a: UInt32[np.ndarray, " n"], b: UInt32[np.ndarray, " m"], lag: int, least: float
) -> float:
    """Fraction of equal bits when word i + lag of `a` meets word i of `b`; 0 below `least` seconds of
    sound."""
    mine, theirs = a[max(lag, 0) :], b[max(-lag, 0) :]
    count = min(len(mine), len(theirs))
    mine, theirs = mine[:count], theirs[:count]
    sounding = (mine != 0) & (theirs != 0)
    heard = int(np.count_nonzero(sounding))
    if heard == 0 or heard * HOP_SECONDS < least:
        return 0.0
    wrong = int(np.bitwise_count(mine ^ theirs)[sounding].sum(dtype=np.int64))
    return 1.0 - wrong / (32.0 * heard)


def near_duplicates(
    prints: Sequence[UInt32[np.ndarray, " _"]],
    *,
    at_least: float = DUPLICATE,
    least: float = _LEAST_SECONDS,
) -> tuple[Pair, ...]:
    """Pairs of recordings that share at least `least` seconds of one sound, sorted by their places.

    Candidates are pairs that share a whole word (Haitsma & Kalker 2002, section 5: at a bit error
    rate of 0.15 one word in two hundred survives whole, a clip of 5 s has 400); each is then
    compared bit by bit at the lags that the shared words propose.
    """
    best: dict[tuple[int, int], Match] = {}
    for first, second, lag in _candidates(prints):
        similarity = _equal_bits(prints[first], prints[second], lag, least)
        known = best.get((first, second))
        if similarity >= at_least and (known is None or similarity > known.similarity):
            best[first, second] = Match(similarity, lag * HOP_SECONDS)
    return tuple(Pair(first, second, match) for (first, second), match in sorted(best.items()))


def _candidates(prints: Sequence[UInt32[np.ndarray, " _"]]) -> list[tuple[int, int, int]]:
    """(first, second, lag) of all pairs that share a word that is not silence and not common."""
    words = np.concatenate([np.zeros(0, np.uint32), *prints])
    owner = np.repeat(np.arange(len(prints)), [len(each) for each in prints])
    place = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(each)) for each in prints)])
    order = np.argsort(words, kind="stable")
    edges = np.flatnonzero(np.diff(words[order])) + 1
    found: set[tuple[int, int, int]] = set()
    for same in np.split(order, edges):
        owners = np.unique(owner[same])
        if len(same) and words[same[0]] != 0 and 2 <= len(owners) <= _COMMON:
            found.update(_meetings(owner[same].tolist(), place[same].tolist()))
    return sorted(found)


def _meetings(owners: list[int], places: list[int]) -> list[tuple[int, int, int]]:
    return [
        (owners[i], owners[j], places[i] - places[j])
        for i in range(len(owners))
        for j in range(i + 1, len(owners))
        if owners[i] < owners[j]
    ]
