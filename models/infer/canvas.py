"""A pose drawn as each published video generator was trained to see it: one function per dialect.

Each takes one pose frame in pixels of the 512 crop, and the (width, height) of the picture, which shows the whole crop
centred. Each returns RGB as it reaches the generator's network. That is not always how it was drawn: who draws red
as (255, 0, 0) and then swaps the channels once, as MimicMotion and EchoMimicV2 do, feeds a blue right shoulder. Facts
(numbers, orders, colours) were read in the generators' public code, named at each function; none of it is used here.

In all of them a missing joint, confidence 0, is not drawn.
"""

import colorsys
import math
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float, Float64, UInt8

from models.infer.openpose import BODY_NAMES, OpenPose, fit, to_aapose, to_openpose

Picture = UInt8[np.ndarray, "height width 3"]
Frame = Float[np.ndarray, "133 3"]
Size = tuple[int, int]
Colour = tuple[int, int, int]

# ---- what all dialects have in common -------------------------------------------------------------------------------

RAINBOW: tuple[Colour, ...] = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
"""OpenPose's 18 colours. The i-th joint has the i-th, and so has the i-th limb."""
JOINT_NAMES = (*BODY_NAMES, "left_toe", "right_toe")
LIMBS: tuple[tuple[int, int], ...] = tuple(
    (JOINT_NAMES.index(a), JOINT_NAMES.index(b))
    for a, b in (
        *(("neck", "right_shoulder"), ("neck", "left_shoulder")),
        *(("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
        *(("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
        *(("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle")),
        *(("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")),
        *(("neck", "nose"), ("nose", "right_eye"), ("right_eye", "right_ear")),
        *(("nose", "left_eye"), ("left_eye", "left_ear")),
        *(("left_ankle", "left_toe"), ("right_ankle", "right_toe")),
    )
)
"""Pairs of joints in the order they are drawn; the last two are drawn only where there are toes."""
HAND_EDGES: tuple[tuple[int, int], ...] = tuple(
    (0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)
)
HAND_HUES = tuple(colorsys.hsv_to_rgb(i / 20, 1.0, 1.0) for i in range(20))
"""Once around the hues; channels from 0 to 1."""
DARK = 0.6
"""How bright limbs are beside their joints."""

# ---- the dialects ------------------------------------------------------------------------------------------


def mimicmotion(pose: Frame, size: Size) -> Picture:
    """Body, hands and face, the less sure the darker, drawn large and made small; red and blue exchanged.

    Tencent/MimicMotion, mimicmotion/dwpose/util.py and preprocess.py: drawn with a shorter side of 2160 pixels, limbs
    half 4 wide, 17 of them, from confidence 0.3; the channels are swapped once on the way to the network.
    """
    return _swapped(_by_confidence(pose, size, valid_from=0.3))


def stableanimator(pose: Frame, size: Size) -> Picture:
    """As `mimicmotion`, but with red as red, and joints of the body from confidence 0.6.

    MPI-Lab/Democratizing-CSG, pose2video/Stableanimator/ge_kp2kpvideo.py and utils/preprocess_kp.py: a body joint up to
    0.6 is marked -1 and neither it nor its limbs are drawn (0.3 in Francis-Rings/StableAnimator). The channels are
    swapped once before the PNG is written and once by its writer, so its reader sees them as drawn.
    """
    return _by_confidence(pose, size, valid_from=0.6)


def echomimic_v2(pose: Frame, size: Size) -> Picture:
    """Hands alone, the less sure the darker, on black; red and blue exchanged.

    antgroup/echomimic_v2, src/utils/dwpose_util.py (draw_pose_select_v2) and infer.py: a shorter side of 800 pixels.
    """
    large, found = _enlarged(pose, size, shorter=800)
    for hand in found.hands:
        _draw_hand(large, hand, line=2, dot=4)
    return _swapped(_shrunk(large, size))


def wan_animate(pose: Frame, size: Size) -> Picture:
    """Body with toes, and hands, no face; thin, at full brightness from confidence 0.5.

    Wan-Video/Wan2.2, wan/modules/animate/preprocess: process_pipepline.py draws with draw_aapose_by_meta_new and its
    defaults: sticks "v2", one thinner than a 200th of the shorter side, hands half of that.
    """
    stick = max(min(size) // 200 - 1, 1)
    return _aapose(pose, size, valid_from=0.5, stick=stick, hand=max(stick // 2, 1))


def wan_animate_v1(pose: Frame, size: Size) -> Picture:
    """The older drawing of `wan_animate`: all lines a 200th of the shorter side wide, from confidence 0.6.

    Wan-Video/Wan2.2, human_visualization.py, draw_aapose with its own defaults; its preprocessing does not use it.
    """
    stick = max(min(size) // 200, 1)
    return _aapose(pose, size, valid_from=0.6, stick=stick, hand=stick)


def unianimate(pose: Frame, size: Size) -> Picture:
    """Body with toes, and hands, no face; drawn at its own size, at full brightness from confidence 0.3.

    UniAnimate-DiT, dwpose/util.py (draw_body_and_foot) and run_align_pose.py, read in forks: the channels are set right
    before the picture is written.
    """
    canvas = _black(size)
    found = to_openpose(fit(pose, size))
    body = _certain(np.concatenate([found.body, found.toes]), 0.3)
    colours = (*RAINBOW, (170, 255, 255), (255, 255, 0))
    _draw_limbs(canvas, body, colours, stick=4)
    _draw_dots(canvas, body, colours, radius=4)
    for hand in found.hands:
        _draw_hand(canvas, _certain(hand, 0.3), line=2, dot=4)
    return canvas


DIALECTS: dict[str, Callable[[Frame, Size], Picture]] = {
    "mimicmotion": mimicmotion,
    "stableanimator": stableanimator,
    "echomimic_v2": echomimic_v2,
    "wan_animate": wan_animate,
    "wan_animate_v1": wan_animate_v1,
    "unianimate": unianimate,
}

# ---- families of dialects ----------------------------------------------------------------------------------


def _by_confidence(pose: Frame, size: Size, *, valid_from: float) -> Picture:
    large, found = _enlarged(pose, size, shorter=2160)
    body = _from(found.body, valid_from)
    _draw_limbs(large, body, RAINBOW, stick=4)
    _draw_dots(large, body, RAINBOW, radius=4)
    for hand in found.hands:
        _draw_hand(large, hand, line=2, dot=4)
    _draw_dots(large, _inside(found.face), ((255, 255, 255),) * len(found.face), radius=3)
    return _shrunk(large, size)


def _aapose(pose: Frame, size: Size, *, valid_from: float, stick: int, hand: int) -> Picture:
    canvas = _black(size)
    found = to_aapose(fit(pose, size))
    body = _certain(np.concatenate([found.body, found.toes]), valid_from)
    colours = (*RAINBOW, (200, 200, 0), (100, 100, 0))
    _draw_limbs(canvas, body, colours, stick=stick)
    _draw_dots(canvas, body, colours, radius=stick)
    for joints in found.hands:
        _draw_hand(canvas, _certain(joints, valid_from), line=hand, dot=hand)
    return canvas


# ---- canvases ----------------------------------------------------------------------------------------------


def _black(size: Size) -> Picture:
    return np.zeros((size[1], size[0], 3), dtype=np.uint8)


def _enlarged(pose: Frame, size: Size, *, shorter: int) -> tuple[Picture, OpenPose]:
    """A black canvas whose shorter side has this many pixels, and the pose on it."""
    scale = shorter / min(size)
    fitted = fit(pose, size)
    large = _black((int(size[0] * scale), int(size[1] * scale)))
    # As its detector's joints are: a fraction of the picture's width and height, with no regard to pixel centres.
    fitted[:, 0] *= large.shape[1] / size[0]
    fitted[:, 1] *= large.shape[0] / size[1]
    return large, to_openpose(fitted)


def _shrunk(large: Picture, size: Size) -> UInt8[np.ndarray, "lower narrower 3"]:
    """Bilinear without averaging, as in the generators: thin lines come out ragged, and the networks know them so."""
    return cv2.resize(large, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _swapped(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[..., ::-1])


# ---- which joints, how sure --------------------------------------------------------------------------------


def _from(joints: Float64[np.ndarray, "n 3"], valid_from: float) -> Float64[np.ndarray, "n 3"]:
    return np.where(joints[:, 2:] >= valid_from, joints, 0.0)


def _certain(joints: Float64[np.ndarray, "n 3"], valid_from: float) -> Float64[np.ndarray, "n 3"]:
    """Confidence 1 from a value on, missing below it."""
    kept = _from(joints, valid_from)
    kept[:, 2] = kept[:, 2] > 0.0
    return kept


def _inside(joints: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Without the joints left of the picture or above it: no generator draws those of hands and face."""
    return np.where((joints[:, :2].astype(np.int64) > 0).all(axis=1, keepdims=True), joints, 0.0)


# ---- strokes -----------------------------------------------------------------------------------------------


def _draw_limbs(
    canvas: Picture,
    joints: Float64[np.ndarray, "n 3"],
    colours: tuple[Colour, ...],
    *,
    stick: int,
) -> None:
    """Ellipses between joints, `stick` pixels to either side, as bright as both joints are sure."""
    for (a, b), colour in zip(LIMBS, colours, strict=False):
        if b < len(joints) and joints[a, 2] > 0.0 and joints[b, 2] > 0.0:
            shade = _shaded(colour, joints[a, 2] * joints[b, 2])
            _draw_stick(canvas, joints[a], joints[b], tuple(int(c * DARK) for c in shade), stick)


def _draw_stick(
    canvas: Picture, a: np.ndarray, b: np.ndarray, colour: tuple[int, ...], stick: int
) -> None:
    middle, along = (a[:2] + b[:2]) / 2.0, a[:2] - b[:2]
    outline = cv2.ellipse2Poly(
        (int(middle[0]), int(middle[1])),
        (int(math.hypot(along[0], along[1]) / 2.0), stick),
        int(math.degrees(math.atan2(along[1], along[0]))),
        0,
        360,
        1,
    )
    cv2.fillConvexPoly(canvas, np.asarray(outline, dtype=np.int32), colour)


def _draw_dots(
    canvas: Picture,
    joints: Float64[np.ndarray, "n 3"],
    colours: tuple[Colour, ...],
    *,
    radius: int,
) -> None:
    for (x, y, confidence), colour in zip(joints, colours, strict=True):
        if confidence > 0.0:
            cv2.circle(canvas, (int(x), int(y)), radius, _shaded(colour, confidence), -1)


def _draw_hand(
    canvas: Picture, joints: Float64[np.ndarray, "21 3"], *, line: int, dot: int
) -> None:
    """Edges around the hues, joints blue, as bright as they are sure."""
    joints = _inside(joints)
    for (a, b), hue in zip(HAND_EDGES, HAND_HUES, strict=True):
        if joints[a, 2] > 0.0 and joints[b, 2] > 0.0:
            score = min(int(joints[a, 2] * joints[b, 2] * 255), 255)
            start, end = ((int(joints[i, 0]), int(joints[i, 1])) for i in (a, b))
            cv2.line(canvas, start, end, tuple(channel * score for channel in hue), line)
    _draw_dots(canvas, joints, ((0, 0, 255),) * len(joints), radius=dot)


def _shaded(colour: Colour, confidence: float) -> tuple[int, ...]:
    return tuple(min(int(channel * confidence), 255) for channel in colour)
