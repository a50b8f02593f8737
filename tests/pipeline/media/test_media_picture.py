"""Where pixels land and which colours they have: cut, rgb, small, and the encoded clip against the affine maps."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from manifests.geometry import apply, compose, crop_affine, upright_affine
from pipeline.media.encode import encode_clip
from pipeline.media.encoding import Encoding
from pipeline.media.picture import FrameConverter, Picture

SIZE = (400, 300)
SPOTS = np.array([[80, 60], [310, 75], [200, 150], [95, 230], [290, 220]], dtype=np.float32)
SHAPES = [
    (rotation, aspect) for rotation in (0, 90, 180, 270) for aspect in (Fraction(1), Fraction(4, 3))
]
BOXES = [(40, 30, 220, 220), (-51, 20, 300, 300), (101, 93, 230, 230), (101, -77, 600, 600)]


def spots_picture(rotation: int, aspect: Fraction) -> Picture:
    """Smooth white spots on black at known places of the stored frame."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    light = np.zeros((SIZE[1], SIZE[0]), dtype=np.float32)
    for spot_x, spot_y in SPOTS:
        light += np.exp(-((x - spot_x) ** 2 + (y - spot_y) ** 2) / (2 * 5.0**2))
    values = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, dtype=np.uint8)
    values[: SIZE[1]] = np.rint(16 + 219 * np.clip(light, 0, 1))
    frame = VideoFrame.from_ndarray(values, format="yuv420p")
    return Picture(0, frame, FrameConverter(SIZE, rotation, aspect, False))


def spot_at(image: np.ndarray, near: np.ndarray, radius: float) -> np.ndarray:
    """Centre of mass of the light around a place."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    light = image.astype(np.float64) - 20.0
    light[(np.hypot(x - near[0], y - near[1]) > radius) | (light < 0)] = 0.0
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def largest_miss(image: np.ndarray, picture: Picture, box: tuple[int, int, int, int]) -> float:
    """Pixels between a spot and where the affine maps put it, at most; of spots wholly in view."""
    converter = picture.converter
    upright = upright_affine(
        converter.size, rotation=converter.rotation, pixel_aspect=converter.pixel_aspect
    )
    size = (image.shape[1], image.shape[0])
    expected = apply(compose(crop_affine(box, size), upright), SPOTS)
    radius = 18.0 * size[0] / box[2] * float(max(converter.pixel_aspect, 1))
    misses = [
        np.abs(spot_at(image, place, radius) - place).max()
        for place in expected
        if (place > radius).all() and (place < np.array(size) - radius).all()
    ]
    assert misses, "no spot lies in the box"
    return float(max(misses))


@pytest.mark.parametrize(("rotation", "aspect"), SHAPES)
@pytest.mark.parametrize("box", BOXES)
def test_a_cut_puts_every_point_where_the_affine_map_says(rotation, aspect, box):
    picture = spots_picture(rotation, aspect)
    image = picture.cut(box, (256, 256))[:, :, 1]
    assert largest_miss(image, picture, box) < 0.1


def test_a_cut_with_fractional_edges_maps_exactly():
    picture = spots_picture(0, Fraction(1))
    box = (40.37, 30.71, 221.6, 219.2)
    assert largest_miss(picture.cut(box, (200, 240))[:, :, 1], picture, box) < 0.1


@pytest.mark.parametrize(("rotation", "aspect"), SHAPES)
@pytest.mark.parametrize("box", BOXES)
def test_an_encoded_clip_puts_every_point_where_the_affine_map_says(
    tmp_path: Path, rotation, aspect, box
):
    picture = spots_picture(rotation, aspect)
    sound = np.zeros((1920, 1), dtype=np.int16)
    encode_clip(
        iter([picture]),
        media=picture.converter,
        box=box,
        frames=1,
        sound=sound,
        out=tmp_path / "clip.mp4",
        encoding=Encoding(crf=1),
    )
    with av.open(str(tmp_path / "clip.mp4")) as container:
        image = next(container.decode(video=0)).to_ndarray(format="gray")
    assert largest_miss(image, picture, box) < 0.1


@pytest.mark.parametrize(("rotation", "aspect"), SHAPES)
def test_the_whole_picture_is_upright_with_square_pixels(rotation, aspect):
    picture = spots_picture(rotation, aspect)
    image = picture.rgb()[:, :, 0]
    assert (image.shape[1], image.shape[0]) == picture.converter.upright_size
    box = (0, 0, image.shape[1], image.shape[0])
    assert largest_miss(image, picture, box) < 0.2


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_small_picture_is_the_large_one_scaled(rotation):
    picture = spots_picture(rotation, Fraction(1))
    size = tuple(side // 2 for side in picture.converter.upright_size)
    large = cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA)
    assert (
        np.abs(picture.small(size)[:, :, ::-1].astype(int) - large).max() < 60
    )  # it may lie up to a pixel off
    assert np.abs(picture.small(size)[:, :, ::-1].astype(int) - large).mean() < 2


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_small_grey_picture_is_the_large_one_scaled(rotation):
    picture = spots_picture(rotation, Fraction(1))
    size = tuple(side // 2 for side in picture.converter.upright_size)
    large = cv2.cvtColor(cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA), 7)
    assert np.abs(picture.grey(size).astype(int) - large).mean() < 2


def test_a_box_outside_the_frame_is_black():
    assert not spots_picture(0, Fraction(1)).cut((900, 900, 50, 50), (32, 32)).any()


def test_an_empty_box_is_an_error():
    with pytest.raises(ValueError, match="positive width"):
        spots_picture(0, Fraction(1)).cut((0, 0, 0, 10), (32, 32))


def test_a_cut_of_the_whole_frame_equals_the_whole_frame():
    picture = spots_picture(0, Fraction(1))
    difference = picture.cut((0, 0, *SIZE), SIZE).astype(int) - picture.rgb()
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("layout", ["yuv444p", "gbrp", "yuv420p10le", "nv12", "rgb24", "gray"])
def test_other_pixel_layouts_look_alike(layout):
    plain = spots_picture(0, Fraction(1))
    other = Picture(0, plain.frame.reformat(format=layout), plain.converter)
    if layout in ("gbrp", "rgb24"):
        other = Picture(0, other.frame, FrameConverter(SIZE, 0, Fraction(1), False))
    difference = plain.cut((10, 10, 200, 200), (100, 100)).astype(int)
    difference -= other.cut((10, 10, 200, 200), (100, 100))
    assert np.abs(difference).max() < 6
    raw = np.frombuffer(other.planes(8, 4, 100, 60), dtype=np.uint8)
    assert len(raw) == 100 * 60 * 3 // 2
    same = np.frombuffer(plain.planes(8, 4, 100, 60), dtype=np.uint8)
    assert np.abs(raw.astype(int) - same).max() < 6


COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 120, 90], [20, 20, 20], [235, 235, 235]]
)


def colour_picture(matrix: int, full: bool, height: int, *, tagged: bool = True) -> Picture:
    """Bars of COLOURS, converted by the textbook formulas."""
    red, blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114)}[matrix]
    rgb = COLOURS / 255.0
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    u, v = (rgb[:, 2] - luma) / (2 - 2 * blue), (rgb[:, 0] - luma) / (2 - 2 * red)
    y8 = luma * (255 if full else 219) + (0 if full else 16)
    u8, v8 = (c * (255 if full else 224) + 128 for c in (u, v))
    frame = VideoFrame(40 * len(COLOURS), height, "yuv420p")
    for plane, values, width in zip(frame.planes, (y8, u8, v8), (40, 20, 20), strict=True):
        rows = np.frombuffer(plane, dtype=np.uint8).reshape(-1, plane.line_size)
        bars = np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8), width)
        rows[:, : len(bars)] = bars
    if tagged:
        frame.colorspace = matrix
    return Picture(0, frame, FrameConverter((frame.width, frame.height), 0, Fraction(1), full))


def bars(image: np.ndarray) -> np.ndarray:
    """Colour in the middle of each bar."""
    width = image.shape[1] / len(COLOURS)
    columns = [int(width * (i + 0.5)) for i in range(len(COLOURS))]
    return image[image.shape[0] // 2, columns].astype(int)


@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_tagged_matrix_and_range(matrix, full):
    picture = colour_picture(matrix, full, 120)
    whole = (picture.frame.width, picture.frame.height)
    for image in (picture.rgb(), picture.cut((0, 0, *whole), (120, 60))):
        assert np.abs(bars(image) - COLOURS).max() <= 4
    assert np.abs(bars(picture.small((120, 60)))[:, ::-1] - COLOURS).max() <= 6


@pytest.mark.parametrize("layout", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full", [False, True])
def test_grey_runs_from_0_to_255_whatever_is_stored(layout, full):
    picture = colour_picture(1, full, 120)
    frame = picture.converter.convert(picture.frame, picture.converter.size, layout=layout, flags=2)
    assert frame.format.name == layout
    weights = np.array([0.2126, 0.7152, 0.0722])  # BT.709
    seen = bars(Picture(0, frame, picture.converter).grey((120, 60)))
    assert np.abs(seen - np.asarray(COLOURS) @ weights).max() <= (
        4 if layout != "yuv420p10le" else 30
    )


@pytest.mark.parametrize(("height", "matrix"), [(120, 5), (720, 1)])
def test_untagged_pictures_are_taken_by_their_height(height, matrix):
    picture = colour_picture(matrix, False, height, tagged=False)
    converter = FrameConverter((1280, 720) if height == 720 else (240, 120), 0, Fraction(1), False)
    image = Picture(0, picture.frame, converter).rgb((120, 60))
    assert np.abs(bars(image) - COLOURS).max() <= 4


@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("full", [False, True])
def test_a_clip_keeps_the_colours_as_limited_range_bt709(tmp_path: Path, matrix, full):
    picture = colour_picture(matrix, full, 240)
    encode_clip(
        iter([picture]),
        media=picture.converter,
        box=(0, 0, 240, 240),
        frames=1,
        sound=np.zeros((1920, 1), dtype=np.int16),
        out=tmp_path / "clip.mp4",
        encoding=Encoding(crf=1),
    )
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range) == (Colorspace.ITU709, 1)
    stored = Picture(0, frame, FrameConverter((512, 512), 0, Fraction(1), False))
    assert np.abs(bars(stored.rgb()) - COLOURS).max() <= 8
