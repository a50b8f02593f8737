"""How far pose backends are from each other on the same pictures, and whether their confidence says so.

Distances are in shoulder widths of the clip. No backend is taken for the truth: what two share in error is not seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Float32

from manifests import keypoints as kp

QUARTERS = 4

Poses = Mapping[str, Float32[np.ndarray, "frame 133 3"]]
"""The poses of one clip by backend, all of the same pictures: x, y in pixels, confidence."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """Joints of which one backend is about as confident.

    low, high: its least and largest confidence among them; median: of their distances, in shoulder widths.
    """

    low: float
    high: float
    joints: int
    median: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two backends on one group of joints.

    joints: how many both found; median, p95: of their distances in shoulder widths, None where there are none;
    by_confidence: quarters of the joints that both gave a place, the least confident first, by each one's confidence.
    """

    pair: tuple[str, str]
    group: str
    joints: int
    median: float | None
    p95: float | None
    by_confidence: tuple[tuple[Quarter, ...], tuple[Quarter, ...]]


@dataclass(slots=True)
class Comparison:
    """Clips, added one by one. valid_from: confidence from which each backend counts a joint as found."""

    valid_from: Mapping[str, float]
    frames: int = 0
    _found: dict[str, list[Bool[np.ndarray, "frame 133"]]] = field(default_factory=dict)
    _apart: dict[tuple[str, str], list[Float[np.ndarray, "frame 133 4"]]] = field(
        default_factory=dict
    )

    def add(self, poses: Poses) -> bool:
        """Take a clip; False, and not taken, where no backend found both shoulders in any frame."""
        width = shoulder_width(poses, self.valid_from)
        if width is None:
            return False
        found = {name: pose[..., 2] >= self.valid_from[name] for name, pose in poses.items()}
        for name, mask in found.items():
            self._found.setdefault(name, []).append(mask)
        for a, b in combinations(poses, 2):
            apart = np.linalg.norm(poses[a][..., :2] - poses[b][..., :2], axis=-1) / width
            both = (found[a] & found[b]).astype(float)
            rows = np.stack([apart, poses[a][..., 2], poses[b][..., 2], both], axis=-1)
            self._apart.setdefault((a, b), []).append(rows)
        self.frames += len(next(iter(found.values())))
        return True

    def coverage(self) -> dict[str, dict[str, float]]:
        """The fraction of each group's joints that each backend found, over all frames."""
        return {
            name: {
                group: float(np.concatenate(masks)[:, joints].mean())
                for group, joints in kp.GROUPS.items()
            }
            for name, masks in self._found.items()
        }

    def agreements(self) -> Iterable[Agreement]:
        """Each pair of backends on each group of joints."""
        for pair, parts in self._apart.items():
            rows = np.concatenate(parts)
            for group, joints in kp.GROUPS.items():
                yield agreement(pair, group, rows[:, joints].reshape(-1, 4))


def agreement(pair: tuple[str, str], group: str, rows: Float[np.ndarray, "joint 4"]) -> Agreement:
    """Of joints with their distance, the confidence of each of the two, and whether both found it."""
    apart, of_a, of_b, both = rows.T
    kept = apart[both > 0.0]
    placed = (of_a > 0.0) & (of_b > 0.0)
    return Agreement(
        pair=pair,
        group=group,
        joints=len(kept),
        median=float(np.median(kept)) if len(kept) else None,
        p95=float(np.percentile(kept, 95)) if len(kept) else None,
        by_confidence=(
            quarters(of_a[placed], apart[placed]),
            quarters(of_b[placed], apart[placed]),
        ),
    )


def quarters(
    confidence: Float[np.ndarray, " joint"], apart: Float[np.ndarray, " joint"]
) -> tuple[Quarter, ...]:
    """The joints in four parts by their confidence, the least confident first; equal ones stay together.

    So there are fewer parts where many joints have the same confidence.
    """
    if len(confidence) == 0:
        return ()
    edges = np.quantile(confidence, [part / QUARTERS for part in range(1, QUARTERS)])
    place = np.searchsorted(edges, confidence, side="left")
    return tuple(
        Quarter(
            low=float(confidence[some].min()),
            high=float(confidence[some].max()),
            joints=int(some.sum()),
            median=float(np.median(apart[some])),
        )
        for part in range(QUARTERS)
        if (some := place == part).any()
    )


def shoulder_width(poses: Poses, valid_from: Mapping[str, float]) -> float | None:
    """Pixels between the shoulders: the median over all frames and backends that found both; None where none did."""
    ends = [kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]
    widths = [
        np.linalg.norm(pose[seen, ends[0], :2] - pose[seen, ends[1], :2], axis=-1)
        for name, pose in poses.items()
        for seen in [(pose[:, ends, 2] >= valid_from[name]).all(axis=1)]
    ]
    every = np.concatenate(widths)
    width = float(np.median(every)) if len(every) else 0.0
    return width if width > 0.0 else None
