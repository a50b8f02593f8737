"""Reads the sound of a source on its 25 FPS grid: windows for clips, the whole track for speech.

Decoding always begins at the track's start, since codecs carry state (bit reservoirs, noise
substitution) that makes samples depend on where a decoder was started. Resampling always takes the
same chunks of the time axis with the same margins. So a sample is a function of (file, time) alone:
a window and the same part of the whole track are equal byte for byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, gcd
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

from manifests.geometry import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from manifests.record import AudioStream
from pipeline.media.probe import MediaError, audio_stream, open_media, packets_of, time_of

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]


class NoAudio(MediaError):
    """A source without sound that decodes."""


class AudioRange(MediaError):
    """A window that the sound does not cover: silence is never added at its ends."""


@runtime_checkable
class SoundSource(Protocol):
    """What reading sound needs to know of a source: `Media` and `Probed` both say it."""

    @property
    def audio(self) -> AudioStream | None:
        """The stream that is read."""
        ...

    @property
    def audible(self) -> tuple[int, int]:
        """Grid frames [start, stop) that the sound covers whole."""
        ...


@dataclass(frozen=True, slots=True)
class Track:
    """A whole track at 16 kHz.

    samples: (N,) int16. first: 16 kHz samples from the first video timestamp to samples[0].
    holes: [start, stop) on the same axis as `first` where nothing decodes; zeros stand there.
    """

    samples: Int16
    first: int
    holes: tuple[tuple[int, int], ...]

    def window(self, *, start: int, stop: int) -> Int16:
        """(640 * (stop - start),) int16 of the grid frames [start, stop). Raises AudioRange."""
        begin, end = (frame * SAMPLES_PER_FRAME - self.first for frame in (start, stop))
        if begin < 0 or end > len(self.samples) or start > stop:
            covered = (self.first, self.first + len(self.samples))
            raise AudioRange(_outside(start, stop, covered, SAMPLE_RATE))
        return self.samples[begin:end]


def read_audio(path: Path, media: SoundSource, *, start: int, stop: int) -> Int16:
    """(640 * (stop - start),) int16 mono at 16 kHz; sample i is at start / 25 + i / 16000 seconds.

    Time counts from the first video timestamp; channels are averaged. Raises NoAudio, AudioRange.
    """
    return _read(path, media, (start, stop), sample_rate=SAMPLE_RATE, mono=True)[0]


def read_sound(
    path: Path, media: SoundSource, *, start: int, stop: int, sample_rate: int = 48_000
) -> Int16:
    """(sample_rate / 25 * (stop - start), C) int16 for playback: one or two channels as they are, more averaged to one.

    sample_rate: samples per second, a multiple of 25. Raises NoAudio, AudioRange.
    """
    if sample_rate % FPS:
        raise ValueError(f"sample_rate must be a multiple of {FPS} Hz, got {sample_rate}")
    return np.ascontiguousarray(
        _read(path, media, (start, stop), sample_rate=sample_rate, mono=False).T
    )


def read_all(path: Path, media: SoundSource) -> Track:
    """The whole track, 16 kHz mono, from grid frame audible[0] to where it stops decoding.

    Raises NoAudio.
    """
    tape = _Tape(path, _sound_of(path, media), mono=True)
    first = media.audible[0] * SAMPLES_PER_FRAME
    number = first // (CHUNK * SAMPLE_RATE)
    begin = number * CHUNK * SAMPLE_RATE
    parts: list[Int16] = []
    while not tape.ended or number * CHUNK * SAMPLE_RATE < tape.covered_until(SAMPLE_RATE):
        parts.append(_to_int16(tape.chunk(number, SAMPLE_RATE))[0])
        number += 1
    scale = Fraction(SAMPLE_RATE, tape.stream.sample_rate)
    holes = tuple((floor(start * scale), ceil(stop * scale)) for start, stop in tape.holes)
    samples = np.concatenate(parts or [np.zeros(0, dtype=np.int16)])
    return Track(samples[first - begin : tape.covered_until(SAMPLE_RATE) - begin], first, holes)


def _read(
    path: Path, media: SoundSource, frames: tuple[int, int], *, sample_rate: int, mono: bool
) -> Int16:
    """(C, sample_rate / 25 * frames) int16 of a window."""
    start, stop = frames
    if start < 0 or stop < start:
        raise ValueError(f"a window needs 0 <= start <= stop, got [{start}, {stop})")
    tape = _Tape(path, _sound_of(path, media), mono=mono)
    begin, end = start * (sample_rate // FPS), stop * (sample_rate // FPS)
    first, last = begin // (CHUNK * sample_rate), max(begin, end - 1) // (CHUNK * sample_rate)
    values = [tape.chunk(number, sample_rate) for number in range(first, last + 1)]
    covered = (tape.covered_from(sample_rate), tape.covered_until(sample_rate))
    if begin < covered[0] or end > covered[1]:
        raise AudioRange(f"{path.name}: " + _outside(start, stop, covered, sample_rate))
    before = first * CHUNK * sample_rate
    return _to_int16(np.concatenate(values, axis=1)[:, begin - before : end - before])


def _sound_of(path: Path, media: SoundSource) -> AudioStream:
    if media.audio is None:
        raise NoAudio(f"{path.name} has no sound that decodes")
    return media.audio


def _outside(start: int, stop: int, covered: tuple[int, int], sample_rate: int) -> str:
    first, last = (sample / sample_rate for sample in covered)
    return (
        f"grid frames [{start}, {stop}) = [{start / FPS:.3f}, {stop / FPS:.3f}) s are not inside "
        f"the sound, which decodes from {first:.3f} to {last:.3f} s"
    )


def _to_int16(values: Float32) -> Int16:
    return np.clip(np.rint(values * 32768.0), -32768.0, 32767.0).astype(np.int16)


# ---- decoding ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    values: Float32

    @property
    def stop(self) -> int:
        return self.start + self.values.shape[1]


RESYNC = Fraction(1, 100)
"""Seconds by which a block's time may differ from the running count before it is believed."""
LONGEST_HOLE = 60
"""Seconds; a block that claims to lie further ahead has a damaged timestamp and is left out."""
CHUNK = 5
"""Seconds that are resampled at once, always the same ones: [0, 5), [5, 10) and so on."""
MARGIN = Fraction(1, 25)
"""Seconds before and after a chunk that are resampled with it, so that its edges are no edges."""


@dataclass(slots=True)
class _Tape:
    """The decoded track, on an axis of its samples from the first video timestamp, read once."""

    path: Path
    stream: AudioStream
    mono: bool
    ended: bool = False
    first: int = 0
    until: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    _kept: list[_Block] = field(default_factory=list)
    _wanted: int = -(2**62)
    _blocks: Iterator[_Block] = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = self._decode()

    def covered_from(self, sample_rate: int) -> int:
        """First sample at `sample_rate` that the sound covers."""
        return ceil(Fraction(self.first * sample_rate, self.stream.sample_rate))

    def covered_until(self, sample_rate: int) -> int:
        """Sample at `sample_rate` after the last one that the sound covers, as far as it was read."""
        return floor(Fraction(self.until * sample_rate, self.stream.sample_rate))

    def chunk(self, number: int, sample_rate: int) -> Float32:
        """(C, CHUNK * sample_rate) samples of a chunk; zeros where nothing decodes. Numbers must rise."""
        source = self.stream.sample_rate
        begin, end = number * CHUNK * source, (number + 1) * CHUNK * source
        if sample_rate == source:
            return self._gather(begin, end)
        shared = gcd(source, sample_rate)
        periods = ceil(MARGIN * shared)  # a margin that is whole samples at both rates
        before, after = periods * (source // shared), periods * (sample_rate // shared)
        values = self._gather(begin - before, end + before)
        resampled = soxr.resample(values.T, source, sample_rate, quality="HQ")
        return np.ascontiguousarray(resampled[after : after + CHUNK * sample_rate].T)

    def _gather(self, low: int, high: int) -> Float32:
        """(C, high - low) source samples."""
        self._wanted = low
        while not self.ended and self.until < high:
            block = next(self._blocks, None)
            if block is None:
                self.ended = True
            else:
                self._kept.append(block)
        self._kept = [block for block in self._kept if block.stop > low]
        values = np.zeros((self.stream.channels, high - low), dtype=np.float32)
        for block in self._kept:
            start, stop = max(low, block.start), min(high, block.stop)
            if start < stop:
                part = block.values[:, start - block.start : stop - block.start]
                values[:, start - low : stop - low] = part
        if self.mono or self.stream.channels > 2:
            return values.mean(axis=0, keepdims=True, dtype=np.float32)
        return values

    def _decode(self) -> Iterator[_Block]:
        """Blocks in order, without overlap, from the wanted sample on; time stays right where some fail."""
        sample_rate = self.stream.sample_rate
        limit = round((self.stream.start + Fraction(self.stream.seconds)) * sample_rate)
        self.first = self.until = round(self.stream.start * sample_rate)
        for position, frame in self._frames():
            ahead = position - self.until
            if ahead > LONGEST_HOLE * sample_rate:
                continue
            skip = -ahead if ahead < -RESYNC * sample_rate else 0
            if ahead > RESYNC * sample_rate:
                self.holes.append((self.until, position))
                self.until = position
            start, length = self.until, min(frame.samples - skip, limit - self.until)
            self.until += max(0, length)
            if length > 0 and self.until > self._wanted:
                yield _Block(start, _values(frame)[:, skip : skip + length])

    def _frames(self) -> Iterator[tuple[int, AudioFrame]]:
        """(samples from the first video timestamp, block) of everything that decodes."""
        sample_rate, channels = self.stream.sample_rate, self.stream.channels
        zero: int | None = None
        scale, begin = 1.0, float(self.stream.start * sample_rate)
        for packet, frame in _blocks_of(self.path):
            if frame.sample_rate != sample_rate or frame.layout.nb_channels != channels:
                continue
            time = time_of(frame if frame.pts is not None else packet) or 0
            if zero is None:
                zero, scale = time, float((frame.time_base or packet.time_base) * sample_rate)
            yield round((time - zero) * scale + begin), frame


def _blocks_of(path: Path) -> Iterator[tuple[Packet, AudioFrame]]:
    """Every block of sound that decodes, with its packet; ends where the file breaks off."""
    with open_media(path) as container:
        stream = audio_stream(container)
        if stream is None:
            return
        for packet in packets_of(container, stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                yield packet, frame


SCALES = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0, "f4": 1.0, "f8": 1.0}


def _values(frame: AudioFrame) -> Float32:
    """(C, N) float32 in -1 to 1."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    values = np.asarray(raw, dtype=np.float32) / np.float32(SCALES[raw.dtype.str[1:]])
    return values - np.float32(1.0) if raw.dtype == np.uint8 else values
