"""Says what a media file holds: demuxes it once, decodes one picture and one block of sound."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as SoundStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from manifests.geometry import FPS, grid_length, upright_size
from manifests.record import AudioStream, Blob, Media


class MediaError(Exception):
    """A file does not hold what was asked of it."""


class NotMedia(MediaError):
    """No known container format."""


class NoVideo(MediaError):
    """No video stream that this build can decode; cover art is not video."""


class NoFrames(MediaError):
    """A video stream of which no picture can be decoded."""


# Formats that hold their own media. Playlists and concatenation scripts are left out: they name
# other files.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,mxf,ogg,rm,nut,ivf,"
    "h264,hevc,m4v,obu,gif,wav,mp3,flac,aac,ac3,aiff"
)
PACKETS_UNTIL_A_PICTURE = 250
"""Video packets that may fail before a file counts as undecodable: ten seconds at 25 FPS."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The fields of `manifests.record.Media`, the timeline as the array itself.

    timeline: (N,) int64 presentation timestamps in ticks of `time_base`, strictly rising, one per
    source frame that is shown.
    """

    container: str
    codec: str
    size: tuple[int, int]
    rotation: Literal[0, 90, 180, 270]
    pixel_aspect: Fraction
    upright_size: tuple[int, int]
    full_range: bool
    rate: Fraction
    variable_rate: bool
    time_base: Fraction
    timeline: NDArray[np.int64]
    source_frames: int
    grid_frames: int
    longest_gap: float
    audio: AudioStream | None
    audible: tuple[int, int]

    def record(self, timeline: Blob) -> Media:
        """The same facts as a record, with the timeline stored elsewhere."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return Media.model_validate(values | {"timeline": timeline})


def probe(path: Path) -> Probed:
    """Streams, size, rotation, rate and timeline of a file.

    Raises NotMedia, NoVideo, NoFrames; OSError where the file cannot be read.
    """
    with open_media(path) as container:
        video = video_stream(container)
        if video is None:
            raise NoVideo(f"{path.name} has no video stream that can be decoded")
        scan = _Scan(video, audio_stream(container))
        scan.run(container)
        if scan.picture is None:
            raise NoFrames(f"none of the first {scan.tried} video packets of {path.name} decodes")
        return _describe(container.format.name, video, scan)


@dataclass(slots=True)
class Breaks:
    """How often reading a file broke off in this process: by the file or by a fault of the disk, which look alike."""

    count: int = 0


BREAKS = Breaks()


# ---- opening -------------------------------------------------------------------------------------


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """A container open for reading, of a format in CONTAINERS, never following what it names.

    Raises NotMedia; OSError where the file cannot be read.
    """
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except FFmpegError as error:
        raise NotMedia(f"{path.name} is not a media file: {error.strerror}") from error
    with container:
        yield container


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream that is looked at: the first marked default, else the first. One thread.

    Attached pictures (cover art) never count.
    """
    real = [
        s
        for s in container.streams.video
        if s.codec_context is not None and not s.disposition & Disposition.attached_pic
    ]
    real.sort(key=lambda s: not s.disposition & Disposition.default)
    if not real:
        return None
    real[0].thread_type = "NONE"
    real[0].thread_count = 1
    return real[0]


def audio_stream(container: InputContainer) -> SoundStream | None:
    """The stream that is listened to: the first marked default, else the first."""
    real = [s for s in container.streams.audio if s.codec_context is not None]
    real.sort(key=lambda s: not s.disposition & Disposition.default)
    return real[0] if real else None


def packets_of(container: InputContainer, *streams: VideoStream | SoundStream) -> Iterator[Packet]:
    """The packets of streams, the empty ones that flush decoders last, until the file breaks off."""
    try:
        for packet in container.demux(*streams):
            BREAKS.count += packet.is_corrupt
            yield packet
    except FFmpegError:
        BREAKS.count += 1
        return
    except IndexError:  # At its end PyAV (18.1) looks for streams that damage made appear midway.
        return


def is_timeless(container: InputContainer, video: VideoStream, packet: Packet) -> bool:
    """Whether pictures can only be identified by their order; packet: the stream's first.

    Raw streams carry no timestamps; AVI gives H.264 with B-frames the times of decoding.
    """
    if packet.pts is None and packet.dts is None:
        return True
    reordered = video.codec_context.name in ("h264", "hevc") and video.codec_context.has_b_frames
    return container.format.name == "avi" and bool(reordered)


def time_of(item: Packet | VideoFrame | AudioFrame) -> int | None:
    """Presentation timestamp; the decoding timestamp where a file gives no other."""
    return item.dts if item.pts is None else item.pts


def seconds_of(block: AudioFrame, packet: Packet) -> Fraction:
    """Time of a decoded block's first sample, in seconds of the container's clock."""
    if block.pts is not None:
        return block.pts * Fraction(block.time_base or packet.time_base)
    return (time_of(packet) or 0) * packet.time_base


def skipped_samples(packet: Packet) -> tuple[int, int]:
    """Samples that the decoder drops from (start, end) of a packet: encoder delay and padding."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    start, end = struct.unpack("<II", bytes(packet.get_sidedata("skip_samples"))[:8])
    return start, end


# ---- one pass over the packets -------------------------------------------------------------------


@dataclass(slots=True)
class _Scan:
    """What one pass over the packets finds."""

    video: VideoStream
    sound: SoundStream | None
    times: list[int] = field(default_factory=list)
    shown: int = 0
    last: tuple[int, int] = (-(2**62), 0)
    picture: VideoFrame | None = None
    tried: int = 0
    block: AudioFrame | None = None
    block_start: Fraction | None = None
    sound_last: tuple[int, int, int] | None = None

    def run(self, container: InputContainer) -> None:
        """Look at every packet; a file that breaks off is as long as it could be read."""
        streams = (self.video,) if self.sound is None else (self.video, self.sound)
        for packet in packets_of(container, *streams):
            if packet.stream_index == self.video.index:
                self._see(packet)
            else:
                self._hear(packet)

    def _see(self, packet: Packet) -> None:
        if self.picture is None and self.tried < PACKETS_UNTIL_A_PICTURE:
            frame = _first(packet)
            self.picture = frame if isinstance(frame, VideoFrame) else None
            self.tried += packet.size > 0
        if packet.size == 0 or packet.is_discard:
            return
        self.shown += 1
        time = time_of(packet)
        if time is not None:
            self.times.append(time)
            self.last = max(self.last, (time, packet.duration or 0))
        elif self.shown == 1:
            self.last = (0, packet.duration or 0)

    def _hear(self, packet: Packet) -> None:
        time = time_of(packet)
        if self.block is None:
            block = _first(packet)
            if isinstance(block, AudioFrame):
                self.block, self.block_start = block, seconds_of(block, packet)
        if packet.size and not packet.is_discard and time is not None and self.block is not None:
            last = (time, packet.duration or 0, skipped_samples(packet)[1])
            self.sound_last = last if self.sound_last is None else max(self.sound_last, last)

    @property
    def sound_end(self) -> Fraction | None:
        """Seconds of the container's clock at which the sound ends, as its packets say."""
        if self.sound_last is None or self.block is None or self.sound is None:
            return None
        time, duration, skipped = self.sound_last
        tick = Fraction(self.sound.time_base or 1)
        nominal = Fraction(self.block.samples, self.block.sample_rate)
        length = duration * tick if duration else nominal
        return time * tick + length - Fraction(skipped, self.block.sample_rate)


def _first(packet: Packet) -> object:
    """The first frame that comes out for a packet, if any does."""
    try:
        return next(iter(packet.decode()), None)
    except FFmpegError:
        return None


# ---- what the pass means -------------------------------------------------------------------------


def _describe(container: str, video: VideoStream, scan: _Scan) -> Probed:
    picture = scan.picture
    assert picture is not None
    assert video.time_base is not None
    time_base = video.time_base
    timeline = _timeline(video, scan)
    steps = np.diff(timeline)
    variable = bool(len(steps)) and bool(np.any(np.abs(steps - np.median(steps)) > 1.0))
    size = (picture.width, picture.height)
    rotation = _clockwise(picture)
    aspect = _pixel_aspect(video)
    frames = grid_length(
        timeline, time_base=time_base, last_duration=_last_shown(video, scan, steps)
    )
    audio = _audio(scan, origin=int(timeline[0]) * time_base)
    return Probed(
        container=container,
        codec=video.codec_context.codec.canonical_name,
        size=size,
        rotation=rotation,
        pixel_aspect=aspect,
        upright_size=upright_size(size, rotation=rotation, pixel_aspect=aspect),
        full_range=is_full_range(picture),
        rate=_rate(video, timeline, variable=variable),
        variable_rate=variable,
        time_base=time_base,
        timeline=timeline,
        source_frames=len(timeline),
        grid_frames=frames,
        longest_gap=float(steps.max() * time_base) if len(steps) else 0.0,
        audio=audio,
        audible=_audible(scan, audio, frames),
    )


def _timeline(video: VideoStream, scan: _Scan) -> NDArray[np.int64]:
    """Sorted timestamps of what is shown, from the first picture that decodes on.

    Made from the rate where the file has none.
    """
    if not scan.times:
        step = 1 / (_declared_rate(video) * Fraction(video.time_base or 1))
        return np.array([round(i * step) for i in range(max(scan.shown, 1))], dtype=np.int64)
    timeline = np.unique(np.asarray(scan.times, dtype=np.int64))
    first = time_of(scan.picture) if scan.picture is not None else None
    later = timeline if first is None else timeline[timeline >= first]
    return later if len(later) else timeline


def _declared_rate(video: VideoStream) -> Fraction:
    return Fraction(video.average_rate or video.guessed_rate or FPS)


def _rate(video: VideoStream, timeline: NDArray[np.int64], *, variable: bool) -> Fraction:
    """Mean rate; the declared one where the timestamps cannot tell the two apart."""
    declared = _declared_rate(video)
    steps = len(timeline) - 1
    if steps == 0:
        return declared
    ticks = int(timeline[-1] - timeline[0])
    tick = Fraction(video.time_base or 1)
    if not variable and abs(steps / declared / tick - ticks) <= 1:
        return declared
    return Fraction(steps) / (ticks * tick)


def _last_shown(video: VideoStream, scan: _Scan, steps: NDArray[np.int64]) -> int:
    """Ticks of the last frame: as its packet says, at most as long as the longest other one."""
    if len(steps) == 0:
        return scan.last[1] or round(1 / (_declared_rate(video) * Fraction(video.time_base or 1)))
    return min(scan.last[1], int(steps.max())) or round(float(np.median(steps)))


def _clockwise(picture: VideoFrame) -> Literal[0, 90, 180, 270]:
    """Degrees clockwise that make a picture upright; the display matrix counts anticlockwise."""
    turns: tuple[Literal[0, 90, 180, 270], ...] = (0, 90, 180, 270)
    return turns[round(-picture.rotation / 90) % 4]


def _pixel_aspect(video: VideoStream) -> Fraction:
    """Width over height of a pixel; 1 where not said or beyond 1:10, which no camera makes."""
    aspect = Fraction(video.sample_aspect_ratio or 1)
    return aspect if Fraction(1, 10) <= aspect <= 10 else Fraction(1)


def is_full_range(picture: VideoFrame) -> bool:
    """Whether luma runs from 0 to 255 and not from 16 to 235."""
    return picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")


def _audio(scan: _Scan, *, origin: Fraction) -> AudioStream | None:
    if scan.block is None or scan.block_start is None or scan.sound_end is None or not scan.sound:
        return None
    return AudioStream(
        codec=scan.sound.codec_context.codec.canonical_name,
        sample_rate=scan.block.sample_rate,
        channels=scan.block.layout.nb_channels,
        start=scan.block_start - origin,
        seconds=float(scan.sound_end - scan.block_start),
    )


def _audible(scan: _Scan, audio: AudioStream | None, frames: int) -> tuple[int, int]:
    if audio is None or scan.sound_end is None or scan.block_start is None:
        return 0, 0
    start = max(0, ceil(audio.start * FPS))
    stop = min(frames, floor((audio.start + scan.sound_end - scan.block_start) * FPS))
    return (start, stop) if start < stop else (0, 0)
