"""What is done to a pose on reading: temporal smoothing and the local representation, both
versioned pure functions.

A pose is (F, 133, 3): x and y in pixels, confidence. A joint is missing where its confidence is 0;
then x and y are 0.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int

from manifests import keypoints as kp

SMOOTHING_VERSION = 1
LOCAL_VERSION = 1

Pose = Float[np.ndarray, "time 133 3"]
Roots = Int[np.ndarray, "133"]

# ---- smoothing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Savitzky-Golay windows in frames at 25 FPS, odd; None leaves those joints as they are."""

    rest: int | None = 11
    outer_lip: int | None = None
    inner_lip: int | None = None
    degree: int = 2

    def __post_init__(self) -> None:
        """Refuse windows that have no centre or do not smooth."""
        for window in (self.rest, self.outer_lip, self.inner_lip):
            if window is not None and (window % 2 == 0 or window <= self.degree):
                raise ValueError(
                    f"a smoothing window is odd and above the degree {self.degree}, got {window}"
                )


SMOOTHINGS: dict[str, Smoothing] = {
    "paper": Smoothing(),
    "released": Smoothing(outer_lip=7, inner_lip=5),
}
"""`paper`: Yang et al. 2025, section 3.2, everything but the mouth. `released`: its code, where the lips are
smoothed too, but less."""


def smooth(pose: Pose, smoothing: Smoothing = SMOOTHINGS["paper"]) -> Pose:
    """Each joint's path through time, smoothed within each unbroken run of frames in which the
    joint was found.

    So a missing frame neither moves its neighbours nor is filled. Runs shorter than the window take
    the longest odd window that fits; one or two frames stay as they are. Confidences are untouched.
    Returns the dtype it was given.
    """
    smoothed = pose.copy()
    for (window, found), joints in _alike(pose, _windows(smoothing)).items():
        for start, stop in _runs(np.frombuffer(found, dtype=np.bool_)):
            path = pose[start:stop, joints, :2].astype(np.float64).reshape(stop - start, -1)
            fitting = min(window, (stop - start - 1) // 2 * 2 + 1)
            filtered = savitzky_golay(path, fitting, smoothing.degree)
            smoothed[start:stop, joints, :2] = filtered.reshape(stop - start, -1, 2)
    return smoothed


def savitzky_golay(
    path: Float[np.ndarray, "time axes"], window: int, degree: int
) -> Float[np.ndarray, "time axes"]:
    """Least-squares polynomial of `degree` over a sliding odd `window`, read at its centre
    (Savitzky and Golay 1964).

    The first and last half window are read from the polynomial of the first and last whole window.
    A window that does not exceed the degree leaves the path as it is. Raises ValueError for a path
    shorter than the window.
    """
    if len(path) < window:
        raise ValueError(f"a path needs {window} frames for this window, got {len(path)}")
    if window <= degree:
        return path.copy()
    half = window // 2
    fit = _fit(window, degree)
    windows = np.lib.stride_tricks.sliding_window_view(path, window, axis=0)
    smoothed = np.empty_like(path)
    smoothed[half : len(path) - half] = windows @ fit[half]
    smoothed[:half] = fit[:half] @ path[:window]
    smoothed[len(path) - half :] = fit[half + 1 :] @ path[-window:]
    return smoothed


@cache
def _fit(window: int, degree: int) -> Float[np.ndarray, "window window"]:
    """Maps the values of a window to the values of their least-squares polynomial."""
    powers = np.vander(np.arange(window) - window // 2, degree + 1).astype(np.float64)
    return powers @ np.linalg.pinv(powers)


def _alike(pose: Pose, windows: np.ndarray) -> dict[tuple[int, bytes], list[int]]:
    """Joints to smooth, by their window and the frames they were found in: each group is filtered
    at once.
    """
    groups: dict[tuple[int, bytes], list[int]] = {}
    found = pose[..., 2] > 0.0
    for joint in np.flatnonzero(windows):
        groups.setdefault((int(windows[joint]), found[:, joint].tobytes()), []).append(int(joint))
    return groups


def _windows(smoothing: Smoothing) -> np.ndarray:
    windows = np.full(kp.JOINTS, smoothing.rest or 0, dtype=np.int64)
    windows[kp.OUTER_LIP] = smoothing.outer_lip or 0
    windows[kp.INNER_LIP] = smoothing.inner_lip or 0
    return windows


def _runs(seen: Bool[np.ndarray, " time"]) -> list[tuple[int, int]]:
    """Half-open spans of consecutive True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], seen, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


# ---- local representation ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Local:
    """A pose whose joints are measured from their roots (Yang et al. 2025, section 3.2), with the neck's
    own trajectory.

    Face joints are measured from the nose tip, hand joints from the body's wrist of that side, all
    others, the nose tip and the wrists among them, from the neck; or as another table of roots has
    it. Everything is in pixels, float64. Missing joints are 0, 0.
    """

    neck: Float[np.ndarray, "time 2"]
    joints: Float[np.ndarray, "time 133 2"]
    confidence: Float[np.ndarray, "time 133"]


def to_local(pose: Pose, *, roots: Roots = kp.ROOT_OF) -> Local:
    """Positions relative to their roots. `to_global` gives the pose back: to 1e-6 px below 1e6 px.

    roots: a table of `ROOTS_BY_FACE`; each root is itself measured from the neck, and so is a joint
    whose root is missing in that frame. See `neck_path` for frames without a neck.
    """
    points = pose[..., :2].astype(np.float64)
    confidence = pose[..., 2].astype(np.float64)
    neck = neck_path(pose)
    joints = points - _origins(points, neck, confidence, roots)
    joints[confidence <= 0.0] = 0.0
    return Local(neck=neck, joints=joints, confidence=confidence)


def to_global(local: Local, *, roots: Roots = kp.ROOT_OF) -> Pose:
    """The pose in pixels, float64: the inverse of `to_local` with the same roots."""
    points = local.joints + _origins(
        local.joints + local.neck[:, None], local.neck, local.confidence, roots
    )
    points[local.confidence <= 0.0] = 0.0
    return np.concatenate([points, local.confidence[..., None]], axis=-1)


def neck_path(pose: Pose) -> Float[np.ndarray, "time 2"]:
    """The shoulders' midpoint in each frame, in pixels, float64.

    Where a shoulder is missing the path runs straight between the neighbouring frames that have
    both, and stays at the first or last of them beyond. If no frame has both shoulders, the mean of
    the joints found in a frame stands in; if nothing was ever found, zeros.
    """
    points = pose[..., :2].astype(np.float64)
    seen = pose[..., 2] > 0.0
    both = seen[:, kp.LEFT_SHOULDER] & seen[:, kp.RIGHT_SHOULDER]
    path = (points[:, kp.LEFT_SHOULDER] + points[:, kp.RIGHT_SHOULDER]) / 2.0
    if not both.any():
        both = seen.any(axis=1)
        total = np.where(seen[..., None], points, 0.0).sum(axis=1)
        path = total / np.maximum(seen.sum(axis=1), 1)[:, None]
    if not both.any():
        return np.zeros((len(pose), 2))
    frames = np.arange(len(pose))
    return np.stack([np.interp(frames, frames[both], path[both, axis]) for axis in (0, 1)], axis=1)


def _origins(
    points: Float[np.ndarray, "time 133 2"],
    neck: Float[np.ndarray, "time 2"],
    confidence: Float[np.ndarray, "time 133"],
    roots: Roots,
) -> Float[np.ndarray, "time 133 2"]:
    """Where each joint's root lies; needs only the roots' own positions in `points`."""
    by_neck = (roots == kp.NECK)[None, :] | (confidence[:, roots] <= 0.0)
    return np.where(by_neck[..., None], neck[:, None], points[:, roots])
