"""Decodes the pictures of a source: all of them once (survey), or those of a grid span (span)."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from manifests.geometry import grid_to_source
from pipeline.media.intact import Intact, Lost
from pipeline.media.picture import FrameConverter, Picture, Stored
from pipeline.media.probe import (
    MediaError,
    NoVideo,
    is_timeless,
    open_media,
    packets_of,
    time_of,
    video_stream,
)

__all__ = ["Count", "DecodeError", "FrameConverter", "Picture", "span", "survey"]


class DecodeError(MediaError):
    """A picture that the timeline promises does not decode."""


@runtime_checkable
class Timed(Stored, Protocol):
    """What decoding needs to know of a source: `Media` and `Probed` both say it."""

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the timeline."""
        ...


@dataclass(slots=True)
class Count:
    """How many frames left a decoder, for the run's bookkeeping."""

    decoded: int = 0


SEEK_BACK = (0, 2, 10)
"""Seconds before the wanted frame to seek to, one after the other; then the start of the file.

The first lands on the key frame before it, which is right unless the file's index or the codec's
recovery points say otherwise; then an earlier start gives the same pictures as a whole decode.
"""


def survey(
    path: Path, media: Timed, timeline: NDArray[np.int64], *, count: Count, exact: bool = False
) -> Iterator[Picture]:
    """Every source frame that decodes, in order, once.

    exact: False leaves the deblocking filter out of frames that no other is built on, which saves up to a fifth of the
    decode and is not seen at the survey's size; True gives the bytes that `span` gives. Frames that do not decode are
    left out, with those that are built on them (`intact`); a file that breaks off ends there. timeline: as in `Probed`.
    Raises NotMedia, NoVideo.
    """
    with open_media(path) as container:
        if not exact and (stream := video_stream(container)) is not None:
            stream.codec_context.options = {"skip_loop_filter": "noref"}
        yield from _pictures(container, FrameConverter.of(media), timeline, None, count)


def span(
    path: Path,
    media: Timed,
    timeline: NDArray[np.int64],
    *,
    start: int,
    stop: int,
    count: Count,
) -> Iterator[tuple[int, Picture]]:
    """(grid frame, picture) for each grid frame of [start, stop), in order, each once.

    A source frame is repeated for several grid frames where the source is slower. Raises
    DecodeError where a source frame that is needed does not decode; NotMedia, NoVideo.
    """
    wanted = grid_to_source(timeline, time_base=media.time_base, start=start, stop=stop)
    if len(wanted) == 0:
        return
    done = 0
    for picture in _from(path, media, timeline, int(wanted[0]), count):
        while done < len(wanted) and wanted[done] == picture.index:
            yield start + done, picture
            done += 1
        if done == len(wanted):
            return
        if picture.index > wanted[done]:
            break
    raise DecodeError(
        f"{path.name}: source frame {wanted[done]} of {len(timeline)} does not decode "
        f"(grid frame {start + done} of [{start}, {stop}))"
    )


def _from(
    path: Path, media: Timed, timeline: NDArray[np.int64], first: int, count: Count
) -> Iterator[Picture]:
    """The pictures from timeline index `first` on, as a decode from the file's start gives them.

    Starts after `first` only where `first` does not decode at all.
    """
    converter = FrameConverter.of(media)
    for target in _targets(timeline, first, media.time_base):
        found = False
        with open_media(path) as container:
            for picture in _pictures(container, converter, timeline, target, count):
                if picture.index > first and target is not None and not found:
                    break
                found = found or picture.index >= first
                if found:
                    yield picture
        if found:
            return


def _targets(timeline: NDArray[np.int64], first: int, time_base: Fraction) -> Iterator[int | None]:
    """Ticks to seek to, in turn, until frame `first` comes out; None is the file's start."""
    for back in SEEK_BACK:
        target = int(timeline[first]) - round(back / time_base)
        if target > int(timeline[0]):
            yield target
    yield None


def _pictures(
    container: InputContainer,
    converter: FrameConverter,
    timeline: NDArray[np.int64],
    target: int | None,
    count: Count,
) -> Iterator[Picture]:
    """Pictures in order from the key frame before tick `target`, or from the start."""
    stream = video_stream(container)
    if stream is None:
        raise NoVideo(f"{container.name} has no video stream that can be decoded")
    packets, timeless = _packets(container, stream, target)
    reorders = bool(stream.codec_context.has_b_frames)
    intact = Intact(begun=target is None or timeless, reorders=reorders)
    before, order = -1, -1
    for frame in intact.of(_decoded(packets, timeless=timeless)):
        order += 1
        if frame is None:
            continue
        count.decoded += 1
        index = order if timeless else _index(timeline, frame)
        if before < index < len(timeline):
            before = index
            yield Picture(index, _at_size(frame, converter), converter)


def _packets(
    container: InputContainer, stream: VideoStream, target: int | None
) -> tuple[Iterator[Packet], bool]:
    """Packets from the key frame before tick `target`, and `is_timeless` of the stream."""
    packets = packets_of(container, stream)
    first = next(packets, None)
    if first is None:
        return packets, False
    timeless = is_timeless(container, stream, first)
    if target is None or timeless:
        return chain((first,), packets), timeless
    try:
        container.seek(target, stream=stream)
    except FFmpegError:
        return iter(()), False
    return packets_of(container, stream), False


def _decoded(packets: Iterator[Packet], *, timeless: bool) -> Iterator[VideoFrame | Lost]:
    """What leaves the decoder."""
    for packet in packets:
        try:
            yield from packet.decode()
        except FFmpegError:
            yield Lost(None if timeless else time_of(packet))


def _index(timeline: NDArray[np.int64], frame: VideoFrame) -> int:
    """Place of a frame in the timeline; -1 where its timestamp is not in it."""
    time = time_of(frame)
    if time is None:
        return -1
    index = int(np.searchsorted(timeline, time))
    return index if index < len(timeline) and timeline[index] == time else -1


def _at_size(frame: VideoFrame, converter: FrameConverter) -> VideoFrame:
    """The frame at the size of the source's first one: streams may change theirs in between."""
    if (frame.width, frame.height) == converter.size:
        return frame
    return converter.convert(
        frame, converter.size, layout="yuv420p", flags=int(Interpolation.BILINEAR)
    )
