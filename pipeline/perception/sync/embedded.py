"""Sync without weights: what the lips do against the balance of the voice's bands.

Loudness says little about the lips: a loud /i/ is spoken with a nearly closed mouth, and many syllables repeat. What
the lips do is heard better in the balance of the bands. Three estimates of it are combined:

- signs, nothing fitted: an open jaw raises the first formant (Fant 1960, ch. 1.2; Lindblom & Sundberg 1971), so energy
  between 0.6 and 1 kHz and, as lips release the sound, between 1.6 and 4 kHz rises with the opening, energy below
  0.5 kHz (closed vowels, nasals, murmur) and above 4 kHz (fricatives, jaw raised) falls; spread lips raise the second
  formant above 1.6 kHz and rounded ones lower it to about 1 kHz;
- axes fitted on real people (`fitted.py`, which says on whom);
- a small network trained on the same people (`lipnet.py`).

The curves are averaged; where they name different offsets, confidence falls. What it is worth on people who had no part
in the fit: docs/decisions/0010-which-lips-speak.md.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int16

from pipeline.packages import version_of
from pipeline.perception.sync import lipnet
from pipeline.perception.sync.fitted import LIPS
from pipeline.perception.sync.interface import Lips, Scorer, SyncScore, check, trimmed
from pipeline.perception.sync.lipnet import LipNet
from pipeline.perception.sync.lipvoice import Axes, Peak, agreement, bands, curve, mouth, peak

OPENS = np.array([-1.0, -1.0, 1.0, 0.0, 1.0, 1.0, -1.0])  # over the voice's band groups
SPREADS = np.array([0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0])
SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
SIGNS = Axes(
    visual=np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
    audio=np.stack([np.outer(SMOOTH, signs).ravel() for signs in (OPENS, SPREADS)], axis=1),
    weight=np.array([0.5, 0.5]),
)
LIMIT = 2.0
"""Match below which a voice is another's. Of 81 stretches of 5 s with their own voice, of people of `fit` whom nothing
was fitted on, none is below it (the least is 2.16; mean 5.25, standard deviation 1.26), of 498 with another's 0.59 are:
docs/truth/sync.md has people no number was set on."""
SURE_FROM = 1.25
"""Confidence from which an offset is believed: 0.46 of those own voices, 0.002 of the foreign ones."""
NOTHING = SyncScore(offset=0, confidence=0.0, speaking=0.0, fine=0.0)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Lips against the balance of the voice's bands, by signs, axes and a small network of our own; CPU, no download.

    Confidence: the likeness at the best offset less the best one five or more frames away, times the square root of
    the number of frames, times the agreement of the three estimates. Speaking: the likeness at the best offset, times
    the same root, less `LIMIT`: below 0 it is another's voice. Both are 0 where the lips were found in less than half
    of the frames.
    """

    name: str = field(default="embedded", init=False)
    face_size: None = field(default=None, init=False)
    face_margin: float = field(default=0.0, init=False)
    sure_from: float | None = field(default=SURE_FROM, init=False)

    @property
    def version(self) -> str:
        """Of the method, numpy and scipy."""
        return f"4, numpy {np.__version__}, scipy {version_of('scipy')}"

    @property
    def weights(self) -> str:
        """SHA-256 of the network that ships."""
        return lipnet.weights_sha256()

    def missing(self) -> str | None:
        """Nothing is ever missing."""
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The measurement itself; it runs on the CPU whatever the device."""
        return measure


def measure(
    lips: Lips,
    sound: Int16[np.ndarray, " samples"],
    *,
    margin: int,
    axes: Axes = LIPS,
    net: LipNet | None = None,
) -> SyncScore:
    """Sync of one person and one voice; see `Embedded`. net: None is the one that ships."""
    check(lips, sound, margin=margin)
    visual, jaw = mouth(lips.pose), lipnet.moved(lips.pose)
    if visual is None or jaw is None:
        return NOTHING
    frames = len(visual)
    audio = bands(sound, frames=frames + 2 * margin)
    voice = lipnet.spoken(sound, frames=frames + 2 * margin)
    curves = (
        *(curve(visual, audio, one, margin=margin) for one in (axes, SIGNS)),
        (net or lipnet.shipped()).curve(jaw, voice, margin=margin),
    )
    return above(joined(curves, frames=frames - 2 * trimmed(margin)), LIMIT)


def above(score: SyncScore, limit: float) -> SyncScore:
    """The score with its match counted from a limit, below which a voice is another's."""
    return replace(score, speaking=score.speaking - limit)


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
