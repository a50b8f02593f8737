"""The voices of the sample: espeak-ng speaks our sentences and says when each phoneme begins."""

import contextlib
import ctypes
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono sound, (samples,), between -1 and 1."""

SYNCHRONOUS = 2
PHONEME_EVENTS = 0x0001
DO_NOT_EXIT = 0x8000
UTF8 = 1
RATE_PARAMETER, VOLUME_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 1, 2, 3, 4
END_OF_EVENTS, PHONEME_EVENT = 0, 7
SPOKEN_LEVEL = 0.08
"""Root mean square that every voice is brought to; 1.0 is full scale."""


class VoiceError(RuntimeError):
    """espeak-ng refused a voice or a text."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker's voice.

    name: espeak-ng voice with its variant ("en-us+m3"); words_per_minute, pitch (0-99) and
    pitch_range (0-99) are espeak's own; tract stretches the sound after synthesis, so that pitch
    and resonances move together (below 1: a larger person).
    """

    name: str
    words_per_minute: int = 165
    pitch: int = 50
    pitch_range: int = 60
    tract: float = 1.0


@dataclass(frozen=True, slots=True)
class Phone:
    """A phoneme in espeak's ASCII spelling and the second at which it begins."""

    second: float
    symbol: str


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound and the phonemes in it. samples: (samples,) float32 mono at `sample_rate` hertz."""

    samples: Samples
    sample_rate: int
    phones: tuple[Phone, ...]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    ]


_OnSound = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@contextlib.contextmanager
def _engine() -> Iterator[ctypes.CDLL]:
    """A copy of the library of its own: nothing else can have left anything in its globals.

    The same text gives a few samples more or less the second time in one loaded library, even
    after espeak_Terminate; a fresh copy always gives the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "espeak-ng.so"
        shutil.copyfile(espeakng_loader.get_library_path(), copy)
        yield ctypes.CDLL(str(copy))


def speak(text: str, voice: Voice) -> Speech:
    """Synthesise a text; the same text and voice always give the same samples.

    Raises VoiceError where espeak-ng does not know the voice.
    """
    with _engine() as engine:
        return _synthesise(engine, text, voice)


def _synthesise(engine: ctypes.CDLL, text: str, voice: Voice) -> Speech:
    chunks: list[NDArray[np.int16]] = []
    phones: list[Phone] = []
    folder = espeakng_loader.get_data_path().encode()
    sample_rate = engine.espeak_Initialize(SYNCHRONOUS, 0, folder, PHONEME_EVENTS | DO_NOT_EXIT)
    if sample_rate <= 0:
        raise VoiceError(
            f"espeak-ng did not start: code {sample_rate}, wanted a sample sample_rate"
        )
    heard_rate = sample_rate * voice.tract

    def on_sound(
        sound: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]"
    ) -> int:
        if sound and count > 0:
            chunks.append(np.ctypeslib.as_array(sound, (count,)).copy())
        at = 0
        while events[at].type != END_OF_EVENTS:
            if events[at].type == PHONEME_EVENT:
                symbol = events[at].id.string.decode("utf-8", "replace")
                phones.append(Phone(events[at].sample / heard_rate, symbol))
            at += 1
        return 0

    callback = _OnSound(on_sound)
    try:
        engine.espeak_ng_SetRandSeed(ctypes.c_long(1))
        engine.espeak_SetSynthCallback(callback)
        if engine.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise VoiceError(f"espeak-ng knows no voice {voice.name!r}")
        for parameter, value in (
            (RATE_PARAMETER, round(voice.words_per_minute / voice.tract)),
            (VOLUME_PARAMETER, 100),
            (PITCH_PARAMETER, voice.pitch),
            (RANGE_PARAMETER, voice.pitch_range),
        ):
            engine.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        code = engine.espeak_Synth(encoded, len(encoded), 0, 0, 0, UTF8, None, None)
        if code != 0:
            raise VoiceError(f"espeak-ng returned {code} for {text[:40]!r}, wanted 0")
    finally:
        engine.espeak_Terminate()
    samples = np.concatenate(chunks).astype(np.float32) / np.float32(32768.0)
    samples = soxr.resample(samples, heard_rate, sample_rate, quality="HQ").astype(np.float32)
    return Speech(samples, sample_rate, tuple(phones))


def fit(speech: Speech, *, seconds: float, lead: float = 0.12) -> Speech:
    """Cut or end a speech at exactly `seconds`, beginning `lead` seconds after the start.

    Leading and trailing quiet of the synthesis is trimmed; the last 0.15 s fade out. A text that is
    too short is followed by silence: give enough text.
    """
    sample_rate = speech.sample_rate
    loud = np.flatnonzero(np.abs(speech.samples) > 0.01)
    start = int(loud[0]) if loud.size else 0
    wanted, before = round(seconds * sample_rate), round(lead * sample_rate)
    body = speech.samples[start : start + wanted - before].copy()
    fade = min(len(body), round(0.15 * sample_rate))
    body[len(body) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    samples = np.zeros(wanted, np.float32)
    samples[before : before + len(body)] = body
    shift = lead - start / sample_rate
    phones = tuple(
        Phone(phone.second + shift, phone.symbol)
        for phone in speech.phones
        if 0.0 <= phone.second + shift < seconds
    )
    return Speech(level(samples), sample_rate, phones)


def level(samples: Samples, *, target: float = SPOKEN_LEVEL) -> Samples:
    """Scale so that the root mean square of what is not quiet is `target`, peaks below 0.97."""
    loud = samples[np.abs(samples) > 0.003]
    if loud.size == 0:
        return samples
    gain = min(target / float(np.sqrt(np.mean(loud**2))), 0.97 / float(np.max(np.abs(samples))))
    return (samples * np.float32(gain)).astype(np.float32)


def room(samples: Samples, *, seed: int, level: float = 0.0008) -> Samples:
    """Add the faint noise of a room, so that a pause is quiet and not digital silence."""
    noise = np.random.default_rng(seed).standard_normal(len(samples)).astype(np.float32)
    softened = np.convolve(noise, np.full(8, 1 / 8, np.float32), mode="same")
    return (samples + np.float32(level * 2.8) * softened).astype(np.float32)


def mix(first: Speech, second: Speech) -> Speech:
    """Both voices at once, cut to the shorter; the phonemes are those of the first."""
    if first.sample_rate != second.sample_rate:
        raise VoiceError(f"rates differ: {first.sample_rate} and {second.sample_rate} Hz")
    count = min(len(first.samples), len(second.samples))
    both = first.samples[:count] + second.samples[:count]
    return Speech(level(both), first.sample_rate, first.phones)
