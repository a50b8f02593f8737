"""Pictures and sound into an MP4, one picture in memory at a time; and skeletons as such a video, to look at."""

import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import Float, Int16, UInt8

from manifests.geometry import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from models.data.index import SIDE
from pipeline.media.draw import draw_pose, draw_text

Picture = UInt8[np.ndarray, "height width 3"]
BT709 = 1
"""The number of primaries and transfer of BT.709 (ITU-T H.273, tables 2 and 3)."""


def write_skeleton_video(
    file: Path,
    pose: Float[np.ndarray, "time 133 3"],
    *,
    sound: Int16[np.ndarray, " samples"] | None = None,
    pictures: Iterable[Picture] | None = None,
    beside: Float[np.ndarray, "other 133 3"] | None = None,
    labels: tuple[str, str] = ("generated", "recorded"),
) -> None:
    """Write a 25 FPS MP4 of a pose of the 512 crop, over pictures of it or on black, with its sound.

    sound: 16 kHz mono, 640 samples per frame. pictures: one RGB picture of 512 x 512 per frame. beside: a second pose,
    drawn to the right of the first over the same pictures; then each half bears its label. The same input gives the
    same bytes; the file appears whole or not at all. Raises ValueError for lengths or sizes that do not fit; what
    iterating `pictures` raises.
    """
    if sound is not None and len(sound) != len(pose) * SAMPLES_PER_FRAME:
        wanted = len(pose) * SAMPLES_PER_FRAME
        raise ValueError(f"{len(pose)} frames need {wanted} samples of sound, got {len(sound)}")
    shown = _drawn(pose, pictures, beside, labels)
    write_video(file, shown, fps=FPS, sound=sound)


def write_video(
    file: Path,
    pictures: Iterable[Picture],
    *,
    fps: int = FPS,
    sound: Int16[np.ndarray, " samples"] | None = None,
    crf: int = 18,
) -> None:
    """Write RGB pictures of one even size as H.264 (yuv420p, BT.709), and 16 kHz mono sound as AAC.

    Sound beyond the last picture is left out. crf: x264's quality, lower is better. One thread and no version stamps,
    so the same input gives the same bytes. The file appears whole or not at all. Raises ValueError for no picture, or
    one of an odd or another size.
    """
    rest = iter(pictures)
    first = next(rest, None)
    if first is None:
        raise ValueError("a video needs pictures, got 0")
    height, width = first.shape[:2]
    if width % 2 or height % 2:
        raise ValueError(f"a video needs an even width and height, got {width}x{height}")
    with tempfile.TemporaryDirectory(dir=file.parent.resolve(), prefix=".video-") as folder:
        part = Path(folder, "video.mp4")
        options = {"fflags": "+bitexact", "movflags": "+faststart"}
        with av.open(str(part), "w", format="mp4", options=options) as container:
            _encode(container, chain([first], rest), fps=fps, sound=sound, crf=crf)
        part.replace(file)


# ---- drawing -----------------------------------------------------------------------------------------------


def _drawn(
    pose: np.ndarray,
    pictures: Iterable[Picture] | None,
    beside: np.ndarray | None,
    labels: tuple[str, str],
) -> Iterator[Picture]:
    if beside is not None and len(beside) != len(pose):
        raise ValueError(f"two poses side by side need one length, got {len(pose)}, {len(beside)}")
    for number, ground in enumerate(_grounds(pictures, len(pose))):
        picture = draw_pose(ground, pose[number])
        if beside is not None:
            halves = (picture, draw_pose(ground, beside[number]))
            for half, label in zip(halves, labels, strict=True):
                draw_text(half, label, at=(8, 20))
            picture = np.concatenate(halves, axis=1)
        yield picture


def _grounds(pictures: Iterable[Picture] | None, frames: int) -> Iterator[Picture]:
    """Exactly `frames` pictures to draw over."""
    if pictures is None:
        black = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        for _ in range(frames):
            yield black
        return
    done = 0
    for picture in pictures:
        done += 1
        if done > frames:
            raise ValueError(f"a pose of {frames} frames needs as many pictures, got more")
        if picture.shape != (SIDE, SIDE, 3):
            raise ValueError(f"pictures are {SIDE}x{SIDE} RGB, got {picture.shape}")
        yield picture
    if done < frames:
        raise ValueError(f"a pose of {frames} frames needs as many pictures, got {done}")


# ---- encoding ----------------------------------------------------------------------------------------------


def _encode(
    container: OutputContainer,
    pictures: Iterable[Picture],
    *,
    fps: int,
    sound: np.ndarray | None,
    crf: int,
) -> None:
    """Picture by picture, each with the sound of its time."""
    video, audio, encoded = None, None, 0
    for number, picture in enumerate(pictures):
        if video is None:
            video = _video_stream(container, picture, fps=fps, crf=crf)
            audio = None if sound is None else _audio_stream(container)
        if picture.shape[:2] != (video.height, video.width):
            wanted = f"{video.width}x{video.height}"
            raise ValueError(f"pictures are {wanted}, got {picture.shape[1]}x{picture.shape[0]}")
        container.mux(video.encode(_video_frame(picture, number, fps)))
        if audio is not None and sound is not None:
            until = min((number + 1) * SAMPLE_RATE // fps, len(sound))
            if until > encoded:
                container.mux(audio.encode(_audio_frame(sound[encoded:until], encoded)))
            encoded = max(encoded, until)
    for stream in (video, audio):
        if stream is not None:
            container.mux(stream.encode(None))


def _video_stream(
    container: OutputContainer, picture: Picture, *, fps: int, crf: int
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=fps)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {
        "crf": str(crf),
        "preset": "veryfast",
        "x264-params": "threads=1:lookahead-threads=1",
    }
    context = stream.codec_context
    context.thread_count = 1
    context.flags |= Flags.bitexact
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = context.color_trc = BT709
    return stream


def _audio_stream(container: OutputContainer) -> av.AudioStream:
    stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
    stream.codec_context.flags |= Flags.bitexact
    stream.codec_context.thread_count = 1
    stream.bit_rate = 64_000
    return stream


def _video_frame(picture: Picture, number: int, fps: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = number, Fraction(1, fps)
    return frame


def _audio_frame(samples: np.ndarray, start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = start, Fraction(1, SAMPLE_RATE)
    return frame
