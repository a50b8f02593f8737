"""What is kept of a set of clips while it goes by, one clip after the other: codes, sums and counts, no motion."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from models.evaluation.metrics.autoencoder import CODE, MotionEncoder, Windows
from models.evaluation.metrics.diversity import PairwiseDifference, SpreadWithin

AT_ONCE = 256
"""Windows that wait to be encoded together."""


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why there is no value."""

    reason: str


class WindowSet:
    """The `gesture_windows` of a set of clips, each encoded once.

    counts: windows of each clip, in the order in which they came. within, pairs: of their values, what is missing 0.
    """

    def __init__(self, encoder: MotionEncoder | NotMeasured) -> None:
        self.counts: list[int] = []
        self.within = SpreadWithin()
        self.pairs = PairwiseDifference()
        self._encoder = encoder
        self._waiting: list[Windows] = []
        self._codes: list[Float32[np.ndarray, "_windows 32"]] = []
        self._windows = 0

    @classmethod
    def of(cls, windows: Windows, encoder: MotionEncoder | NotMeasured) -> "WindowSet":
        """A set of one clip."""
        found = cls(encoder)
        found.add(windows)
        return found

    def __len__(self) -> int:
        """Windows."""
        return self._windows

    def add(self, windows: Windows) -> None:
        """The windows of one more clip."""
        self.counts.append(len(windows))
        self._windows += len(windows)
        filled = np.nan_to_num(windows)
        for window in filled:
            self.within.add(window)
        self.pairs.add(filled)
        if isinstance(self._encoder, MotionEncoder) and len(windows):
            self._waiting.append(windows)
            if sum(map(len, self._waiting)) >= AT_ONCE:
                self._encode()

    def codes(self) -> Float32[np.ndarray, "_windows 32"]:
        """The encoder's code of each window. Raises ValueError without an encoder."""
        if isinstance(self._encoder, NotMeasured):
            raise ValueError(self._encoder.reason)
        self._encode()
        if len(self._codes) > 1:
            self._codes = [np.concatenate(self._codes)]
        return self._codes[0] if self._codes else np.zeros((0, CODE), np.float32)

    def owners(self, people: Int64[np.ndarray, " clips"]) -> Int64[np.ndarray, " _windows"]:
        """Whose each window is. people: whose each clip is, in the order in which they came."""
        return np.repeat(people, self.counts)

    def _encode(self) -> None:
        if self._waiting and isinstance(self._encoder, MotionEncoder):
            self._codes.append(self._encoder.encode(np.concatenate(self._waiting)))
            self._waiting = []


@dataclass(slots=True)
class Collection:
    """What a set of clips is measured on.

    generated, truth: windows of each, those of generated clips taken `like` their truth. encoder: of the codes, or why
    there is none. hands: for each voice the distance of the hands between several motions made of it, None where it is
    not known. seed: of shuffles and draws.
    """

    generated: WindowSet
    truth: WindowSet
    encoder: MotionEncoder | NotMeasured
    hands: list[float | None] = field(default_factory=list[float | None])
    seed: int = 0

    @property
    def windows(self) -> int:
        """Of the smaller of the two sets."""
        return min(len(self.generated), len(self.truth))
