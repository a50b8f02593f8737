"""Reads the sound of a source on its 25 FPS grid: windows for clips, the whole track for speech.

Decoding always begins at the track's start, since codecs carry state (bit reservoirs, noise
substitution) that makes samples depend on where a decoder was started. Resampling is a plain FIR
sum per output sample on a fixed time axis. So a sample is a function of (file, time) alone: a
window and the same part of the whole track are equal byte for byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, gcd
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray
from scipy.signal import firwin, upfirdn

from manifests.geometry import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from manifests.record import AudioStream
from pipeline.media.probe import MediaError, audio_stream, open_media, seconds_of

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]


class NoAudio(MediaError):
    """A source without sound that decodes."""


class AudioRange(MediaError):
    """A window that the sound does not cover: silence is never added at its ends."""


class Heard(Protocol):
    """What reading sound needs to know of a source: `Media` and `Probed` both say it."""

    @property
    def audio(self) -> AudioStream | None: ...
    @property
    def audible(self) -> tuple[int, int]: ...


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


def read_audio(path: Path, media: Heard, *, start: int, stop: int) -> Int16:
    """(640 * (stop - start),) int16 mono at 16 kHz; sample i is at start / 25 + i / 16000 seconds.

    Time counts from the first video timestamp; channels are averaged. Raises NoAudio, AudioRange.
    """
    return _read(path, media, (start, stop), rate=SAMPLE_RATE, mono=True)[0]


def read_sound(path: Path, media: Heard, *, start: int, stop: int, rate: int = 48_000) -> Int16:
    """(rate / 25 * (stop - start), C) int16 for playback: one or two channels as they are, more averaged to one.

    rate: samples per second, a multiple of 25. Raises NoAudio, AudioRange.
    """
    if rate % FPS:
        raise ValueError(f"rate must be a multiple of {FPS} Hz, got {rate}")
    return np.ascontiguousarray(_read(path, media, (start, stop), rate=rate, mono=False).T)


def read_all(path: Path, media: Heard) -> Track:
    """The whole track, 16 kHz mono, from grid frame audible[0] to where it stops decoding. Raises NoAudio."""
    tape = _Tape(path, media, mono=True)
    kernel = Kernel.between(tape.rate, SAMPLE_RATE)
    first = media.audible[0] * SAMPLES_PER_FRAME
    parts: list[Int16] = []
    begin = first
    while not tape.ended or begin < tape.heard_until(SAMPLE_RATE):
        parts.append(_to_int16(tape.resample(kernel, begin, begin + CHUNK))[0])
        begin += CHUNK
    samples = np.concatenate(parts or [np.zeros(0, dtype=np.int16)])
    length = max(0, tape.heard_until(SAMPLE_RATE) - first)
    tape.close()
    return Track(samples[:length], first, tape.holes_at(SAMPLE_RATE))


CHUNK = 30 * SAMPLE_RATE
"""Output samples that are resampled at once: bounds the memory of a long track."""


def _read(path: Path, media: Heard, frames: tuple[int, int], *, rate: int, mono: bool) -> Int16:
    """(C, rate / 25 * frames) int16 of a window."""
    start, stop = frames
    if start < 0 or stop < start:
        raise ValueError(f"a window needs 0 <= start <= stop, got [{start}, {stop})")
    tape = _Tape(path, media, mono=mono)
    kernel = Kernel.between(tape.rate, rate)
    begin, end = start * (rate // FPS), stop * (rate // FPS)
    values = tape.resample(kernel, begin, end)
    tape.close()
    covered = (tape.heard_from(rate), tape.heard_until(rate))
    if begin < covered[0] or end > covered[1]:
        raise AudioRange(f"{path.name}: " + _outside(start, stop, covered, rate))
    return _to_int16(values)


def _outside(start: int, stop: int, covered: tuple[int, int], rate: int) -> str:
    first, last = (sample / rate for sample in covered)
    return (
        f"grid frames [{start}, {stop}) = [{start / FPS:.3f}, {stop / FPS:.3f}) s are not inside "
        f"the sound, which decodes from {first:.3f} to {last:.3f} s"
    )


def _to_int16(values: Float32) -> Int16:
    return np.clip(np.rint(values * 32768.0), -32768.0, 32767.0).astype(np.int16)


# ---- resampling ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kernel:
    """A low-pass FIR between two rates whose output sample n lies at n * down / up input samples.

    taps: (2 * half + 1,) float32 at `up` times the input rate; half is a multiple of `down`.
    """

    up: int
    down: int
    half: int
    taps: Float32

    @staticmethod
    @lru_cache(maxsize=8)
    def between(source: int, target: int) -> "Kernel":
        """Kaiser window, stopband near -80 dB, passband to 0.87 of the lower Nyquist frequency."""
        up, down = target // gcd(source, target), source // gcd(source, target)
        if up == down == 1:
            return Kernel(1, 1, 0, np.ones(1, dtype=np.float32))
        half = ceil(ZERO_CROSSINGS * max(up, down) / down) * down
        cutoff = 0.9375 / max(up, down)
        taps = firwin(2 * half + 1, cutoff, window=("kaiser", 8.0)) * up
        return Kernel(up, down, half, taps.astype(np.float32))

    def reach(self, begin: int, end: int) -> tuple[int, int]:
        """Input samples [low, high) that outputs [begin, end) need; low is a multiple of `down`."""
        low = ((begin * self.down - self.half) // self.up) // self.down * self.down
        return low, (end * self.down + self.half) // self.up + 1

    def __call__(self, values: Float32, low: int, begin: int, end: int) -> Float32:
        """(C, end - begin) outputs from inputs (C, N) that begin at sample `low`."""
        if self.half == 0:
            return values[:, begin - low : end - low]
        shift = self.half // self.down - low // self.down * self.up
        result = upfirdn(self.taps, values, up=self.up, down=self.down, axis=1)
        return result[:, begin + shift : end + shift]


ZERO_CROSSINGS = 40
"""Half length of the resampling filter in samples of the lower rate; 2.5 ms at 16 kHz."""


# ---- decoding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    values: Float32

    @property
    def stop(self) -> int:
        return self.start + self.values.shape[1]


RESYNC = Fraction(1, 100)
"""Seconds by which a block's timestamp may differ from the running count before it is believed instead."""


@dataclass(slots=True)
class _Tape:
    """The decoded track on an axis of source samples from the first video timestamp, read forwards once."""

    path: Path
    media: Heard
    mono: bool
    ended: bool = False
    kept: list[_Block] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    first: int | None = None
    until: int = 0
    _blocks: Iterator[_Block] = field(init=False)
    _stream: AudioStream = field(init=False)

    def __post_init__(self) -> None:
        if self.media.audio is None:
            raise NoAudio(f"{self.path.name} has no sound that decodes")
        self._stream = self.media.audio
        self._blocks = self._decode()

    @property
    def rate(self) -> int:
        return self._stream.sample_rate

    def close(self) -> None:
        self.ended = True
        self._blocks.close()

    def heard_from(self, rate: int) -> int:
        """First output sample that the sound covers."""
        return ceil(Fraction((self.first or 0) * rate, self.rate))

    def heard_until(self, rate: int) -> int:
        """Output sample after the last one that the sound covers, as far as it was read."""
        return floor(Fraction(self.until * rate, self.rate))

    def holes_at(self, rate: int) -> tuple[tuple[int, int], ...]:
        scale = Fraction(rate, self.rate)
        return tuple((floor(start * scale), ceil(stop * scale)) for start, stop in self.holes)

    def resample(self, kernel: Kernel, begin: int, end: int) -> Float32:
        """(C, end - begin) outputs; zeros stand where nothing decodes. Call with rising windows."""
        low, high = kernel.reach(begin, end)
        while not self.ended and self.until < high:
            self._advance(low)
        channels = self.kept[-1].values.shape[0] if self.kept else 1
        values = np.zeros((channels, high - low), dtype=np.float32)
        for block in self.kept:
            start, stop = max(low, block.start), min(high, block.stop)
            if start < stop:
                values[:, start - low : stop - low] = block.values[
                    :, start - block.start : stop - block.start
                ]
        return kernel(values, low, begin, end)

    def _advance(self, low: int) -> None:
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
            return
        self.kept = [old for old in self.kept if old.stop > low]
        self.kept.append(block)

    def _decode(self) -> Iterator[_Block]:
        """Blocks in order without overlap; a block whose packet fails is left out, time stays right."""
        tolerance = int(RESYNC * self.rate)
        limit = round((self._stream.start + Fraction(self._stream.seconds)) * self.rate)
        for position, values in self._timed():
            if self.first is None:
                self.first = self.until = position
            if abs(position - self.until) > tolerance:
                if position > self.until:
                    self.holes.append((self.until, position))
                values = values[:, max(0, self.until - position) :]
                self.until = max(position, self.until)
            values = values[:, : max(0, limit - self.until)]
            if values.shape[1]:
                start, self.until = self.until, self.until + values.shape[1]
                yield _Block(start, values)

    def _timed(self) -> Iterator[tuple[int, Float32]]:
        """(source samples from the first video timestamp, (C, N) values) of each block that decodes."""
        zero: Fraction | None = None
        for frame, seconds in self._frames():
            zero = seconds if zero is None else zero
            if frame.sample_rate == self.rate:
                time = seconds - zero + self._stream.start
                yield round(time * self.rate), _values(frame, mono=self.mono)

    def _frames(self) -> Iterator[tuple[AudioFrame, Fraction]]:
        with open_media(self.path) as container:
            stream = audio_stream(container)
            if stream is None:
                return
            try:
                for packet in container.demux(stream):
                    try:
                        frames = packet.decode()
                    except av.FFmpegError:
                        continue
                    for frame in frames:
                        yield frame, seconds_of(frame, packet)
            except av.FFmpegError:
                return


SCALES = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0, "f4": 1.0, "f8": 1.0}


def _values(frame: AudioFrame, *, mono: bool) -> Float32:
    """(C, N) float32 in -1 to 1: averaged to one channel where `mono` or where there are more than two."""
    raw = frame.to_ndarray()
    channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        raw = raw.reshape(-1, channels).T
    scale = SCALES[raw.dtype.str[1:]]
    values = raw.astype(np.float32) / np.float32(scale)
    if raw.dtype == np.uint8:
        values -= np.float32(1.0)
    if mono or channels > 2:
        return values.mean(axis=0, keepdims=True, dtype=np.float32)
    return values
