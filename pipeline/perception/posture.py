"""What a pose says about the use of a clip: pure measurements for the quality control of Yang et al. 2025,
section 3.2.

All take a pose (F, 133, 3): x and y in upright pixels of the picture (centres at integers), 25
frames a second, and confidence. `valid_from` is the confidence from which the backend's joints
count as seen. What cannot be measured is None: a width without shoulders, a direction without a
face.
"""

import numpy as np
from jaxtyping import Bool, Float

from manifests import keypoints as kp

Pose = Float[np.ndarray, "time 133 3"]

MOVERS = (
    *(kp.NOSE, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER),
    *(kp.LEFT_ELBOW, kp.RIGHT_ELBOW, kp.LEFT_WRIST, kp.RIGHT_WRIST),
)

BLOCK = 10
"""Frames whose median is a joint's place, 0.4 s."""

EDGE = 0.05
"""Shoulder widths from a side of the picture within which an elbow may as well be outside: MediaPipe places elbows that
are cut off just inside. Of people cut just above them, up to 1.00 of the frames had an elbow in the picture and at
most 0.35 one that far from its sides; of people with elbows 0.68 and more (`research/truth/filters.py`)."""

NOSE_REACH = 1.5
"""How far the nose tip stands out before the line between the ends of the jaw, in half lengths of
that line.

Measured as offset over tangent of the turn that MediaPipe's three-dimensional mesh has, on 27
frames of 10 real heads turned by 2 to 56 degrees: median 1.5, all between 1.3 and 1.7.
"""


def seen(pose: Pose, valid_from: float) -> Bool[np.ndarray, "time 133"]:
    """Which joints count as seen; a missing one (confidence 0) never does."""
    return (pose[..., 2] > 0.0) & (pose[..., 2] >= valid_from)


def inside(pose: Pose, size: tuple[int, int], *, edge: float = 0.0) -> Bool[np.ndarray, "time 133"]:
    """Which joints lie within a picture of (width, height) = size, `edge` pixels or more from its sides."""
    points = pose[..., :2]
    least, most = edge - 0.5, np.array(size) - 0.5 - edge
    return np.asarray(((points >= least) & (points <= most)).all(axis=-1))


def body_found(pose: Pose) -> float:
    """Fraction of frames in which the backend found a body at all, 0 to 1. Raises ValueError without
    frames.
    """
    return _share(np.asarray((pose[:, kp.BODY, 2] > 0.0).any(axis=1)))


def upper_body(pose: Pose, size: tuple[int, int], valid_from: float) -> float:
    """Fraction of frames with both shoulders and at least one elbow seen inside the picture, 0 to 1.

    An elbow that is cut off comes out just inside the picture, so one at any of its sides counts as not seen (`EDGE`).
    size: (width, height) in pixels. Raises ValueError without frames.
    """
    there = seen(pose, valid_from)
    shoulders = there & inside(pose, size)
    elbows = there & inside(pose, size, edge=EDGE * (_shoulder_pixels(pose, valid_from) or 0.0))
    both = shoulders[:, [kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]].all(axis=1)
    return _share(np.asarray(both & elbows[:, [kp.LEFT_ELBOW, kp.RIGHT_ELBOW]].any(axis=1)))


def shoulder_width(pose: Pose, size: tuple[int, int], valid_from: float) -> float | None:
    """Median distance of the shoulders over the frame height, ratio; None where they are never seen
    together.
    """
    width = _shoulder_pixels(pose, valid_from)
    return None if width is None else width / size[1]


def facing(pose: Pose, valid_from: float) -> float | None:
    """Median frontality of the head, 0 to 1: 1 frontal, 0.5 turned by 45 degrees, 0 profile; None
    without a head.

    See `head_turn`; a frame's frontality is 1 - turn / 90.
    """
    turn = head_turn(pose, valid_from)
    known = turn[~np.isnan(turn)]
    return None if len(known) == 0 else float(np.median(1.0 - known / 90.0))


def head_turn(pose: Pose, valid_from: float) -> Float[np.ndarray, " time"]:
    """By how many degrees the head is turned from the camera in each frame, 0 to 90; NaN if unseen.

    Read from where the nose tip stands between the two ends of the jaw line, along the line that
    joins them, so that a tilted head changes nothing. In frames without a face, from the body's
    nose between the ears; 90 if the person's left ear is on the picture's left: seen from behind.
    """
    turn = np.full(len(pose), np.nan)
    ears = (pose[:, [kp.LEFT_EAR, kp.RIGHT_EAR], 2] > 0.0).all(axis=1)
    nose = ears & seen(pose, valid_from)[:, kp.NOSE]
    turn[nose] = _turn(pose[nose], (kp.RIGHT_EAR, kp.NOSE, kp.LEFT_EAR))
    turn[nose & (pose[:, kp.LEFT_EAR, 0] < pose[:, kp.RIGHT_EAR, 0])] = 90.0
    face = _face_frames(pose, valid_from)
    turn[face] = _turn(pose[face], (kp.JAW.start, kp.NOSE_TIP, kp.JAW.stop - 1))
    return turn


def _turn(pose: Pose, joints: tuple[int, int, int]) -> Float[np.ndarray, " time"]:
    right, nose, left = (pose[:, joint, :2].astype(np.float64) for joint in joints)
    across = left - right
    length = np.maximum((across**2).sum(axis=1), 1e-12)
    off_middle = 2.0 * ((nose - right) * across).sum(axis=1) / length - 1.0
    return np.degrees(np.arctan(np.abs(off_middle) / NOSE_REACH))


def shoulder_facing(pose: Pose, valid_from: float) -> float | None:
    """Median of the shoulders' distance along the picture's x over the distance from their middle
    to the nose, ratio.

    Positive with the person's left on the picture's right, as seen from the front; negative from
    behind; near 0 from the side. None where nose and shoulders are never seen together.
    """
    there = seen(pose, valid_from)[:, [kp.NOSE, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]].all(axis=1)
    if not there.any():
        return None
    nose, left, right = (
        pose[there, joint, :2] for joint in (kp.NOSE, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER)
    )
    reach = np.linalg.norm(nose - (left + right) / 2.0, axis=1)
    return float(np.median((left[:, 0] - right[:, 0]) / np.maximum(reach, 1e-6)))


def stillness(pose: Pose, valid_from: float) -> float | None:
    """How far nose, shoulders, elbows and wrists go in 0.8 s when they move: upper quartile, in shoulder widths.

    Between the median places of 0.4 s each, since a backend's joints tremble from frame to frame also where nothing
    moves; of the upper quartile, since a speaker rests between gestures (`research/truth/filters.py`). None without
    shoulders or where no joint is seen for long enough.
    """
    width = _shoulder_pixels(pose, valid_from)
    ways = _ways(pose, valid_from)
    if width is None or ways.size == 0:
        return None
    return float(np.quantile(ways, 0.75)) / width


def face_seen(pose: Pose, valid_from: float) -> float:
    """Fraction of frames with a face, 0 to 1. Raises ValueError without frames."""
    return _share(_face_frames(pose, valid_from))


def hands_seen(pose: Pose, valid_from: float) -> float:
    """Fraction of frames with at least one hand, 0 to 1: half its joints seen. Raises ValueError
    without frames.
    """
    there = seen(pose, valid_from)
    left, right = (there[:, hand].mean(axis=1) >= 0.5 for hand in (kp.LEFT_HAND, kp.RIGHT_HAND))
    return _share(left | right)


def _face_frames(pose: Pose, valid_from: float) -> Bool[np.ndarray, " time"]:
    there = seen(pose, valid_from)
    roots = there[:, [kp.NOSE_TIP, kp.JAW.start, kp.JAW.stop - 1]].all(axis=1)
    return roots & (there[:, kp.FACE].mean(axis=1) >= 0.5)


def _shoulder_pixels(pose: Pose, valid_from: float) -> float | None:
    shoulders = [kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]
    both = seen(pose, valid_from)[:, shoulders].all(axis=1)
    if not both.any():
        return None
    left, right = (pose[both, joint, :2].astype(np.float64) for joint in shoulders)
    width = float(np.median(np.linalg.norm(left - right, axis=1)))
    return width if width > 0.0 else None


def _ways(pose: Pose, valid_from: float) -> Float[np.ndarray, " pairs"]:
    """Pixels from each mover's median place in one block of frames to that in the next block but one."""
    count = len(pose) // BLOCK
    movers = pose[: count * BLOCK, list(MOVERS)]
    there = seen(pose, valid_from)[: count * BLOCK, list(MOVERS)].reshape(count, BLOCK, -1)
    points = movers[..., :2].astype(np.float64).reshape(count, BLOCK, len(MOVERS), 2)
    often = there.mean(axis=1) >= 0.5
    kept = np.where(there[..., None] | ~often[:, None, :, None], points, np.nan)
    places = np.nanmedian(kept, axis=1)
    ways = np.linalg.norm(places[2:] - places[:-2], axis=-1)
    return ways[often[2:] & often[:-2]]


def _share(true: Bool[np.ndarray, " time"]) -> float:
    if len(true) == 0:
        raise ValueError("a pose needs one frame, got 0")
    return float(true.mean())
