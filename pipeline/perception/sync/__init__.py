"""Whether lips fit a voice, at which offset, with which confidence: one interface with several
backends.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from pipeline.perception.sync.activespeaker import ActiveSpeaker
from pipeline.perception.sync.embedded import Embedded
from pipeline.perception.sync.interface import Lips, Scorer, SyncBackend, SyncError, SyncScore
from pipeline.perception.sync.speaker import Speaker, speaker_of
from pipeline.perception.sync.syncnet import SyncNet


def _embedded(*, weights: Path | None = None) -> SyncBackend:
    return Embedded()


def _syncnet(*, weights: Path | None = None) -> SyncBackend:
    return SyncNet(at=weights)


def _light_asd(*, weights: Path | None = None) -> SyncBackend:
    return ActiveSpeaker("light-asd", at=weights)


def _lr_asd(*, weights: Path | None = None) -> SyncBackend:
    return ActiveSpeaker("lr-asd", at=weights)


# Each takes `weights`: the weights file, or a folder that holds it under its published name or, of one's own
# training, as `<backend>.model` with the JSON that states its hash (checkpoint.py).
BACKENDS: dict[str, Callable[..., SyncBackend]] = {
    "embedded": _embedded,
    "syncnet": _syncnet,
    "light-asd": _light_asd,
    "lr-asd": _lr_asd,
}


@lru_cache(maxsize=2)
def load(backend: SyncBackend, device: str = "cpu") -> Scorer:
    """The loaded backend, once per process."""
    return backend.load(device)


__all__ = [
    "BACKENDS",
    "ActiveSpeaker",
    "Embedded",
    "Lips",
    "Scorer",
    "Speaker",
    "SyncBackend",
    "SyncError",
    "SyncNet",
    "SyncScore",
    "load",
    "speaker_of",
]
