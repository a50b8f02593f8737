"""Writes `docs/pose-mapping.md` from the table of the MediaPipe backend: `python -m
pipeline.perception.pose.mapping_page`.
"""

import sys

from manifests import keypoints as kp
from pipeline.perception.pose.mediapipe import MediaPipePose
from pipeline.perception.pose.mediapipe_map import DOUBLE_HAND, FOREIGN_FACE, SOURCES

_SOURCE_NAMES = {
    "pose": "BlazePose",
    "face": "face mesh",
    "left_hand": "left hand",
    "right_hand": "right hand",
}

_HEAD = f"""\
# Where the embedded backend's joints come from

Written from the code by `python -m pipeline.perception.pose.mapping_page`; do not edit.

The `mediapipe` backend runs MediaPipe Holistic and fills the 133 joints of COCO-WholeBody from its
four outputs: BlazePose (33 points), the attention face mesh (478) and two hands (21 each). Where
two points of the mesh are named, the joint is their middle. Left and right are the person's own.
A joint may lie outside the picture: BlazePose guesses what it does not see, and says so in its
confidence. A joint without a source, or whose part was not found, is 0, 0 with confidence 0.

## What the confidence means

| joints | confidence | counts as seen from |
|---|---|---|
| body, feet | BlazePose's visibility of that point: inside the picture and not hidden, 0 to 1 | \
{MediaPipePose().valid_from} |
| face | one value for all: how sure the mesh network is that it looks at a face, 0 to 1 | \
{MediaPipePose().valid_from} |
| hands | one value for each hand: how sure the hand network is that it looks at one, 0 to 1 | \
{MediaPipePose().valid_from} |

Face and hands are only given where their network is at least 0.5 sure, so a single joint of them
that is hidden has the confidence of the whole.

Two checks against the body set a part to missing:

- of two hands that lie on each other (mean distance of like joints below {DOUBLE_HAND} of the
  longer hand's diagonal) the one farther from its own wrist, since one hand was taken for both;
- a face whose nose tip is farther from the body's nose than {FOREIGN_FACE} of the face's diagonal.

## Joint by joint

| joint | name | from | points |
|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    return _HEAD + "".join(_row(joint) for joint in range(kp.JOINTS))


def _row(joint: int) -> str:
    taken = SOURCES[joint]
    if taken is None:
        return f"| {joint} | {kp.NAMES[joint]} | none: always missing | |\n"
    points = ", ".join(str(point) for point in taken.points)
    return f"| {joint} | {kp.NAMES[joint]} | {_SOURCE_NAMES[taken.part]} | {points} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
