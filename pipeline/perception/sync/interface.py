"""The interface of sync backends: lips and sound in, an offset and two scores out."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int16, UInt8

from manifests.geometry import SAMPLES_PER_FRAME

REACH = 15  # frames: offsets from -REACH to REACH are tried (Chung & Zisserman 2016, section 4.1)
SHORTEST = 25  # frames of picture that must stay once there is sound for every offset


class SyncError(ValueError):
    """Lips and sound that do not belong together in size, or weights that are not the published
    ones.
    """


@dataclass(frozen=True, slots=True)
class Lips:
    """Input from the one decode of a span: the mouth of one person, at 25 FPS.

    faces: RGB squares of the backend's `face_size`, None where it wants none; pose: x, y in upright
    pixels and the confidence of the 133 joints (68 of the face from joint 23 on).
    """

    faces: UInt8[np.ndarray, "time size size 3"] | None
    pose: Float32[np.ndarray, "time 133 3"]


@dataclass(frozen=True, slots=True)
class SyncScore:
    """What a backend measured.

    offset: frames by which the sound is late against the picture, negative: early; confidence: how
    clearly that offset stands out, on the backend's own scale, higher is more certain; speaking: that this
    visible person speaks this sound, ditto; fine: the offset in fractions of a frame, where the
    backend resolves them.
    """

    offset: int
    confidence: float
    speaking: float
    fine: float | None = None

    @property
    def shift(self) -> float:
        """The offset, in frames, as finely as it was resolved."""
        return float(self.offset) if self.fine is None else self.fine


@runtime_checkable
class Scorer(Protocol):
    """A loaded backend."""

    def __call__(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> SyncScore:
        """Measure one person against one voice.

        sound: 16 kHz mono, 640 samples per frame of picture and per frame of `margin` on each side
        of it. With a margin under 15 frames the picture's ends are left out, so that every offset
        is judged on the same frames and on real sound. Raises SyncError where sizes do not fit or
        fewer than 25 frames would stay.
        """
        ...


@runtime_checkable
class SyncBackend(Protocol):
    """A sync backend. Small, frozen and picklable; loads nothing until `load`."""

    @property
    def name(self) -> str:
        """The key in `BACKENDS`."""
        ...

    @property
    def version(self) -> str:
        """Of the method and of the library that computes it."""
        ...

    @property
    def weights(self) -> str | None:
        """SHA-256 of the weights; None where there are none."""
        ...

    @property
    def face_size(self) -> int | None:
        """Pixels of the square RGB face crops it wants; None: it wants none."""
        ...

    @property
    def face_margin(self) -> float:
        """The crop is a square around the face box's centre; its side is the box's height grown by
        this on each side.

        The box is that of MediaPipe's full-range face detector: square, from the middle of the
        forehead to the chin.
        """
        ...

    @property
    def sure_from(self) -> float | None:
        """Confidence from which the offset was measured to be right on real footage; None: never
        shown.
        """
        ...

    def missing(self) -> str | None:
        """None where this backend works, else what it lacks and how to get it."""
        ...

    def load(self, device: str = "cpu") -> Scorer:
        """The working backend. Raises SyncError for weights that are absent or not the published
        ones.
        """
        ...


# ---- offsets -------------------------------------------------------------------------------------


def check(lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int) -> None:
    """Raise SyncError where picture, sound and margin do not fit each other."""
    frames = len(lips.pose)
    wanted = (frames + 2 * margin) * SAMPLES_PER_FRAME
    if margin < 0 or len(sound) != wanted:
        raise SyncError(
            f"sound of {frames} frames, margin {margin}, has {wanted} samples, got {len(sound)}"
        )
    if lips.faces is not None and len(lips.faces) != frames:
        raise SyncError(f"{frames} poses need as many faces, got {len(lips.faces)}")
    kept = frames - 2 * trimmed(margin)
    if kept < SHORTEST:
        raise SyncError(f"sync needs {SHORTEST} frames with sound at every offset, got {kept}")


def trimmed(margin: int) -> int:
    """Frames left out at each end of the picture so that every offset has sound."""
    return max(0, REACH - margin)


def offsets() -> range:
    """The offsets tried, in order."""
    return range(-REACH, REACH + 1)


def audio_at(offset: int, frames: int, *, margin: int) -> slice:
    """Where, in frames of a sound with its margin, the kept picture is heard if the sound is late
    by this much.
    """
    start = margin + trimmed(margin) + offset
    return slice(start, start + frames - 2 * trimmed(margin))
