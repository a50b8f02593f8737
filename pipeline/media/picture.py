"""One decoded frame and the ways to look at it: small, whole, cut to a box, or as raw planes."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from manifests.geometry import compose, crop_affine, upright_size
from manifests.record import Affine, Box

UInt8 = NDArray[np.uint8]

HD_HEIGHT = 720
"""Untagged pictures from this height on are BT.709, smaller ones BT.601, as players take them."""


@runtime_checkable
class Stored(Protocol):
    """What `Media` and `Probed` both say about the stored picture."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) before rotation and pixel aspect."""
        ...

    @property
    def rotation(self) -> int:
        """Degrees clockwise that make the picture upright."""
        ...

    @property
    def pixel_aspect(self) -> Fraction:
        """Width over height of a pixel."""
        ...

    @property
    def full_range(self) -> bool:
        """Whether luma runs from 0 to 255."""
        ...


@dataclass(frozen=True, slots=True)
class FrameConverter:
    """Converts the frames of one source to upright pictures; caches scalers: one converter per decode."""

    size: tuple[int, int]
    rotation: int
    pixel_aspect: Fraction
    full_range: bool
    _scalers: dict[tuple[int, int, int, int, str], VideoReformatter] = field(default_factory=dict)

    @classmethod
    def of(cls, media: Stored) -> "FrameConverter":
        """The converter for a source."""
        return cls(media.size, media.rotation, media.pixel_aspect, media.full_range)

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) of an upright picture with square pixels."""
        return upright_size(self.size, rotation=self.rotation, pixel_aspect=self.pixel_aspect)

    @property
    def is_plain(self) -> bool:
        """Whether stored pixels are upright pixels."""
        return self.rotation == 0 and self.upright_size == self.size

    def convert(
        self, frame: VideoFrame, size: tuple[int, int], *, layout: str, flags: int
    ) -> VideoFrame:
        """A frame in a pixel layout at `size`, not turned; its matrix and range are respected."""
        key = (frame.width, frame.height, *size, layout)
        scaler = self._scalers.setdefault(key, VideoReformatter())
        source = ColorRange.JPEG if self.full_range else ColorRange.MPEG
        return scaler.reformat(
            frame,
            width=size[0],
            height=size[1],
            format=layout,
            src_colorspace=matrix_of(frame, self.size),
            dst_colorspace=matrix_of(frame, self.size),
            interpolation=flags,
            src_color_range=source,
            dst_color_range=ColorRange.JPEG if layout in ("rgb24", "bgr24") else source,
            threads=1,
        )

    def pixels(self, frame: VideoFrame, size: tuple[int, int], *, layout: str, flags: int) -> UInt8:
        """(height, width, 3) upright at `size` = (width, height)."""
        turned = self.rotation in (90, 270)
        stored = (size[1], size[0]) if turned else size
        converted = self.convert(frame, stored, layout=layout, flags=flags)
        pixels = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        if self.rotation == 0:
            return pixels
        return np.ascontiguousarray(np.rot90(pixels, -self.rotation // 90))


def matrix_of(frame: VideoFrame, size: tuple[int, int]) -> Colorspace:
    """The YUV matrix of a frame: as tagged, else by its height."""
    tagged = {
        1: Colorspace.ITU709,
        4: Colorspace.FCC,
        5: Colorspace.ITU601,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
        9: Colorspace.BT2020,
        10: Colorspace.BT2020,
    }
    untagged = Colorspace.ITU709 if min(size) >= HD_HEIGHT else Colorspace.ITU601
    return tagged.get(int(frame.colorspace), untagged)


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded frame; `index` is its place in the source's timeline."""

    index: int
    frame: VideoFrame
    converter: FrameConverter

    def small(self, size: tuple[int, int]) -> UInt8:
        """(height, width, 3) BGR, upright, at `size` = (width, height).

        For shot detection: fast and coarse, and up to one source pixel off.
        """
        return self.converter.pixels(
            self.frame, size, layout="bgr24", flags=int(Interpolation.FAST_BILINEAR)
        )

    def grey(self, size: tuple[int, int]) -> UInt8:
        """(height, width) luma from 0 to 255, upright, at `size` = (width, height).

        For shot detection: read from the luma plane where the format has one of 8 bits, each pixel from the four stored
        ones around its middle, so that the whole picture is neither converted nor filtered.
        """
        turned = self.converter.rotation in (90, 270)
        stored = (size[1], size[0]) if turned else size
        frame = self.frame
        if frame.format.name not in LUMA_FIRST:
            flags = int(Interpolation.FAST_BILINEAR)
            frame = self.converter.convert(frame, stored, layout="yuv420p", flags=flags)
        luma = _rows(frame.planes[0])[: frame.height, : frame.width]
        small = np.asarray(cv2.resize(luma, stored, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        if not self.converter.full_range:
            small = np.asarray(cv2.LUT(small, FULL_OF_LIMITED), dtype=np.uint8)
        if self.converter.rotation == 0:
            return small
        return np.ascontiguousarray(np.rot90(small, -self.converter.rotation // 90))

    def rgb(self, size: tuple[int, int] | None = None) -> UInt8:
        """(height, width, 3) RGB, upright, square pixels.

        Scaled by area to `size` = (width, height) where given.
        """
        target = size or self.converter.upright_size
        return self.converter.pixels(
            self.frame, target, layout="rgb24", flags=int(Interpolation.AREA)
        )

    def cut(self, box: Box, size: tuple[int, int]) -> UInt8:
        """(height, width, 3) RGB of a box in upright pixels, at `size` = (width, height).

        Black outside the frame. The mapping is `geometry.crop_affine(box, size)`. Raises ValueError for an empty box.
        """
        if box[2] <= 0 or box[3] <= 0:
            raise ValueError(f"a box needs a positive width and height, got {box}")
        part = self._around(box)
        if part[2] <= 0 or part[3] <= 0:
            return np.zeros((size[1], size[0], 3), dtype=np.uint8)
        shrink = max(1.0, box[2] / size[0]), max(1.0, box[3] / size[1])
        reduced = max(1, round(part[2] / shrink[0])), max(1, round(part[3] / shrink[1]))
        whole = (float(part[0]), float(part[1]), float(part[2]), float(part[3]))
        to_crop = compose(crop_affine(box, size), _inverse(crop_affine(whole, reduced)))
        matrix = np.asarray(to_crop, dtype=np.float64)
        pixels = cv2.warpAffine(self._scaled(part, reduced), matrix, size, flags=cv2.INTER_LINEAR)
        return np.asarray(pixels, dtype=np.uint8)

    def planes(self, x: int, y: int, width: int, height: int) -> bytes:
        """Raw 8-bit 4:2:0 planes Y, U, V of a region of the stored frame.

        Range and matrix are as stored. x and y are even; width and height are even unless they end at the frame's edge.
        """
        frame = self.frame
        if frame.format.name not in PLANAR_420:
            flags = int(Interpolation.BILINEAR)
            frame = self.converter.convert(
                frame, self.converter.size, layout="yuv420p", flags=flags
            )
        return b"".join(part.tobytes() for part in _cut_planes(frame, x, y, width, height))

    def _around(self, box: Box) -> tuple[int, int, int, int]:
        """The even-edged part of the upright picture that a box needs, with room for the filter.

        The whole picture where a part of it cannot be had for less.
        """
        wide, high = self.converter.upright_size
        if not self.converter.is_plain or self.frame.format.name not in PLANAR_420:
            return 0, 0, wide, high
        x0, y0 = (max(0, floor(corner) - 2) // 2 * 2 for corner in box[:2])
        x1 = min(wide, (ceil(box[0] + box[2]) + 3) // 2 * 2)
        y1 = min(high, (ceil(box[1] + box[3]) + 3) // 2 * 2)
        return x0, y0, x1 - x0, y1 - y0

    def _scaled(self, part: tuple[int, int, int, int], size: tuple[int, int]) -> UInt8:
        """(height, width, 3) RGB of a part of the upright picture, scaled by area to `size`."""
        flags = int(Interpolation.AREA)
        if part == (0, 0, *self.converter.upright_size):
            return self.converter.pixels(self.frame, size, layout="rgb24", flags=flags)
        frame = VideoFrame(part[2], part[3], "yuv420p")
        for plane, values in zip(frame.planes, _cut_planes(self.frame, *part), strict=True):
            _rows(plane)[: values.shape[0], : values.shape[1]] = values
        frame.colorspace = self.frame.colorspace
        scaled = self.converter.convert(frame, size, layout="rgb24", flags=flags)
        return np.asarray(scaled.to_ndarray(), dtype=np.uint8)


PLANAR_420 = ("yuv420p", "yuvj420p")
LUMA_FIRST = (*PLANAR_420, "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray")
"""Formats whose first plane is 8-bit luma."""
FULL_OF_LIMITED = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
"""Luma from 16 to 235 brought to 0 to 255."""


def _rows(plane: VideoPlane) -> UInt8:
    """(height, line size) view of a plane; writes go through."""
    return np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)


def _cut_planes(frame: VideoFrame, x: int, y: int, width: int, height: int) -> list[UInt8]:
    """Views of the Y, U and V planes of a region with even x and y."""
    views: list[UInt8] = []
    for number, plane in enumerate(frame.planes):
        half = 1 if number == 0 else 2
        top, left = y // half, x // half
        bottom, right = (y + height + half - 1) // half, (x + width + half - 1) // half
        views.append(_rows(plane)[top:bottom, left:right])
    return views


def _inverse(affine: Affine) -> Affine:
    """The inverse of a map that only scales and shifts."""
    (sx, _, tx), (_, sy, ty) = affine
    return ((1.0 / sx, 0.0, -tx / sx), (0.0, 1.0 / sy, -ty / sy))
