"""Sync without weights: what the lips do against the balance of the voice's bands.

Loudness says little about the lips: a loud /i/ is spoken with a nearly closed mouth, and many syllables repeat. What
the lips do is heard better in the balance of the bands. Two estimates of it are combined:

- signs, nothing fitted: an open jaw raises the first formant (Fant 1960, ch. 1.2; Lindblom & Sundberg 1971), so energy
  between 0.6 and 1 kHz and, as lips release the sound, between 1.6 and 4 kHz rises with the opening, energy below
  0.5 kHz (closed vowels, nasals, murmur) and above 4 kHz (fricatives, jaw raised) falls; spread lips raise the second
  formant above 1.6 kHz and rounded ones lower it to about 1 kHz;
- axes fitted on real people (`fitted.py`, which says on whom).

The curves are added; where the two name different offsets, confidence falls. What it is worth on people who had no part
in the fit: docs/decisions/0010-which-lips-speak.md.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int16

from pipeline.packages import version_of
from pipeline.perception.sync.fitted import LIPS
from pipeline.perception.sync.interface import Lips, Scorer, SyncScore, check, trimmed
from pipeline.perception.sync.lipvoice import Axes, Peak, agreement, bands, curve, mouth, peak

OPENS = np.array([-1.0, -1.0, 1.0, 0.0, 1.0, 1.0, -1.0])  # over the voice's band groups
SPREADS = np.array([0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0])
SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
SIGNS = Axes(
    visual=np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
    audio=np.stack([np.outer(SMOOTH, signs).ravel() for signs in (OPENS, SPREADS)], axis=1),
    weight=np.array([0.5, 0.5]),
)
NOTHING = SyncScore(offset=0, confidence=0.0, speaking=0.0, fine=0.0)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Lip opening and width against the balance of the voice's bands; CPU, no weights.

    Confidence: the correlation at the best offset less the best one five or more frames away, times the square root of
    the number of frames, times the agreement of the two estimates. Speaking: the correlation at the best offset, times
    the same root. Both are 0 where the lips were found in less than half of the frames or do not move.

    axes: the fitted ones; others are for measuring them on people they were not fitted on.
    """

    name: str = field(default="embedded", init=False)
    weights: None = field(default=None, init=False)
    face_size: None = field(default=None, init=False)
    face_margin: float = field(default=0.0, init=False)
    # No confidence gave 95 % exact offsets on people not used: docs/decisions/0010.
    sure_from: float | None = field(default=None, init=False)

    @property
    def version(self) -> str:
        """Of the method, numpy and scipy."""
        return f"3, numpy {np.__version__}, scipy {version_of('scipy')}"

    def missing(self) -> str | None:
        """Nothing is ever missing."""
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The measurement itself; it runs on the CPU whatever the device."""
        return measure


def measure(
    lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int, axes: Axes = LIPS
) -> SyncScore:
    """Sync of one person and one voice; see `Embedded`."""
    check(lips, sound, margin=margin)
    visual = mouth(lips.pose)
    if visual is None:
        return NOTHING
    audio = bands(sound, frames=len(visual) + 2 * margin)
    curves = tuple(curve(visual, audio, one, margin=margin) for one in (axes, SIGNS))
    return joined(curves, frames=len(visual) - 2 * trimmed(margin))


def joined(curves: tuple[Float[np.ndarray, " quarter"], ...], *, frames: int) -> SyncScore:
    """One score of several curves over the same offsets; see `Embedded`."""
    found: Peak = peak(np.mean(curves, axis=0))
    scale = float(np.sqrt(frames))
    return SyncScore(
        offset=round(found.offset),
        confidence=found.clear * scale * agreement(tuple(peak(one) for one in curves)),
        speaking=found.height * scale,
        fine=found.offset,
    )
