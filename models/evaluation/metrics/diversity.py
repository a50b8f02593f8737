"""How different motions are from each other: five measures that papers all call diversity.

They differ in what is compared (features, a clip with its own mean, clips, samples of one voice) and in size by
hundreds. Features are those of one `MotionEncoder`; a larger value is not better beyond that of the truth.
"""

import numpy as np
from jaxtyping import Float, Float64

from manifests import keypoints as kp
from models.evaluation.metrics.body import filled, shoulder_width

HANDS = (kp.LEFT_HAND_ROOT, kp.RIGHT_HAND_ROOT)


def l1_shuffled(
    features: Float[np.ndarray, "n d"], *, seed: int, batch: int = 1, limit: int = 500
) -> float:
    """Mean L1 distance of features to the same features in shuffled batches (DiffGesture, Zhu et al. 2023).

    As in its code, whole batches trade places, a batch may meet itself, and at most `limit` batches enter. batch: rows
    of one, which its value depends on; rows beyond the last whole batch are left out. Raises ValueError for fewer than
    two batches.
    """
    count = len(features) // batch
    if count < 2:
        raise ValueError(f"shuffling needs two batches of {batch}, got {len(features)} rows")
    batches = features[: count * batch].reshape(count, batch, -1).astype(np.float64)
    order = np.random.default_rng(seed).permutation(count)[:limit]
    return float(np.abs(batches[:limit] - batches[order]).sum(axis=-1).mean())


class SpreadWithin:
    """Mean over all frames of the L1 distance of a frame to its own clip's mean (EMAGE's L1Div, Liu et al. 2024).

    It says how much a clip moves, not how clips differ. Clips are added one by one and not kept.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._total = 0.0

    def add(self, motion: Float[np.ndarray, "_frames d"]) -> None:
        """One more clip."""
        self.frames += len(motion)
        if len(motion):
            self._total += float(np.abs(motion - motion.mean(axis=0)).sum(dtype=np.float64))

    def value(self) -> float:
        """Raises ValueError without a frame."""
        if not self.frames:
            raise ValueError("the variation within clips needs a frame")
        return self._total / self.frames


def l1_within(motions: list[Float[np.ndarray, "_frames d"]]) -> float:
    """`SpreadWithin` of a list of clips. Raises ValueError without a frame."""
    within = SpreadWithin()
    for motion in motions:
        within.add(motion)
    return within.value()


class PairwiseDifference:
    """Mean absolute difference of all pairs of motions within batches of 50, then over batches (DiffSHEG, Chen et al.
    2024).

    Per value, so it does not grow with the number of joints. Batches are taken in the order in which motions are added,
    one batch is kept at a time; a last one of a single motion is left out.
    """

    def __init__(self, batch: int = 50) -> None:
        self.batch = batch
        self.count = 0
        self._waiting: list[Float64[np.ndarray, " _values"]] = []
        self._found: list[float] = []

    def add(self, motions: Float[np.ndarray, "_n *values"]) -> None:
        """Some more motions."""
        self.count += len(motions)
        for motion in motions:
            self._waiting.append(motion.reshape(-1).astype(np.float64))
            if len(self._waiting) == self.batch:
                self._found.append(_mean_difference(np.stack(self._waiting)))
                self._waiting = []

    def value(self) -> float:
        """Raises ValueError for fewer than two motions."""
        rest = [_mean_difference(np.stack(self._waiting))] if len(self._waiting) > 1 else []
        if not self._found and not rest:
            raise ValueError(f"pairs need two motions, got {self.count}")
        return float(np.mean([*self._found, *rest]))


def pairwise(motions: Float[np.ndarray, "n *values"], *, batch: int = 50) -> float:
    """`PairwiseDifference` of an array of motions. Raises ValueError for fewer than two motions."""
    difference = PairwiseDifference(batch)
    difference.add(motions)
    return difference.value()


def l2_pairs(features: Float[np.ndarray, "n d"], *, seed: int, pairs: int = 300) -> float:
    """Mean L2 distance between two random draws of 300 rows each (HumanML3D, Guo et al. 2022).

    Each draw is without replacement, a row may meet itself. Raises ValueError for fewer rows than pairs.
    """
    if len(features) < pairs:
        raise ValueError(f"{pairs} pairs need as many rows, got {len(features)}")
    rng = np.random.default_rng(seed)
    first, second = (rng.choice(len(features), pairs, replace=False) for _ in range(2))
    rows = features.astype(np.float64)
    return float(np.linalg.norm(rows[first] - rows[second], axis=-1).mean())


def hands(
    samples: Float[np.ndarray, "samples time 133 3"], *, width: float | None = None
) -> float | None:
    """Mean distance of the hands between pairs of samples for the same voice, frame by frame, in shoulder widths.

    EMO2's DIV (arXiv:2501.10687, section 4.2) is on hand positions of 50 samples for each of 100 voices; its formula is
    not stated, this one is ours. width: pixels of a shoulder width, the median of the samples' own where not given.
    None where no hand or shoulder is ever known. Raises ValueError for fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError(f"pairs need two samples, got {len(samples)}")
    widths = [found for found in map(shoulder_width, samples) if found is not None]
    if width is None and not widths:
        return None
    places = np.stack([filled(sample)[:, list(HANDS)] for sample in samples])
    first, second = np.triu_indices(len(samples), k=1)
    apart = np.linalg.norm(places[first] - places[second], axis=-1)
    if not np.isfinite(apart).any():
        return None
    return float(np.nanmean(apart) / (width or np.median(widths)))


def _mean_difference(rows: Float64[np.ndarray, "n d"]) -> float:
    """Over all pairs, from sorted columns: the k-th smallest of n is added k times and taken away n - 1 - k times."""
    count = len(rows)
    weight = 2.0 * np.arange(count) - (count - 1)
    total = weight @ np.sort(rows, axis=0)
    return float(total.mean() / (count * (count - 1) / 2))
