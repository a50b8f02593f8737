"""How fast the camera moves: the speed of the left and right border, where the background shows.

Corners in both borders are followed by sparse optical flow (Lucas and Kanade 1981, in the pyramidal
form of Bouguet 2000) between small grey pictures about 0.4 s apart. A camera moves both borders; a
hand that reaches into one of them does not move the other, so the slower border counts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

ENOUGH = (10, 0.03)  # steps, pixels: whichever comes first


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """How the background's speed is measured.

    `least_texture` is OpenCV's smaller eigenvalue of the 3x3 gradient matrix: a plain backdrop
    stays below 0.0003, a bookshelf or a skyline reaches 0.005 to 0.05.
    """

    steps_per_second: float = 2.5
    side: float = 0.25  # width of each border, ratio of the picture's width
    floor: float = 0.75  # height below which desk, lap and hands begin, ratio of the height
    corners: int = 16  # in each border, at most
    least_corners: int = 3  # in each border; fewer say nothing about it
    least_texture: float = 0.0005
    quantile: float = 0.3  # of the corners' speeds: people in the border are faster than it

    def shift(
        self, before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]
    ) -> float | None:
        """Displacement of the background between two grey pictures, in picture widths.

        None where a border shows too little texture to be followed.
        """
        import cv2

        height, width = before.shape
        rows, side = slice(0, round(self.floor * height)), round(self.side * width)
        left = self._corners(before[rows, :side])
        right = self._corners(before[rows, width - side :])
        if min(len(left), len(right)) < self.least_corners:
            return None  # also where the picture is too small to have borders
        points = np.concatenate((left, right + np.array((width - side, 0), dtype=np.float32)))
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            before,
            after,
            points[:, None],
            np.empty_like(points[:, None]),
            winSize=(11, 11),
            maxLevel=2,
            criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, *ENOUGH),
        )
        lengths = np.linalg.norm(moved[:, 0] - points, axis=-1)
        seen = found.ravel() == 1
        sides = (lengths[: len(left)][seen[: len(left)]], lengths[len(left) :][seen[len(left) :]])
        if min(len(each) for each in sides) < self.least_corners:
            return None
        return min(float(np.quantile(each, self.quantile)) for each in sides) / width

    def _corners(self, part: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "corner 2"]:
        """The strongest corners of one border, at least 3 pixels apart, as (x, y)."""
        import cv2

        if min(part.shape) < 3:
            return np.empty((0, 2), dtype=np.float32)
        texture = cv2.cornerMinEigenVal(part, 3)
        peaks = (texture >= cv2.dilate(texture, np.ones((5, 5), np.uint8))) & (
            texture >= self.least_texture
        )
        y, x = np.nonzero(peaks)
        strongest = np.argsort(-texture[y, x], kind="stable")[: self.corners]
        return np.stack((x[strongest], y[strongest]), axis=-1).astype(np.float32)


def median_speed(speeds: Float[np.ndarray, "step"]) -> float | None:
    """Median of background speeds, frame widths per second; None where there are none."""
    return float(np.median(speeds)) if len(speeds) else None
