"""What a trained system is compared with: motion made without it, from the training clips and the voice alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int16

from models.data.decoding import decoded
from models.data.features import Features
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.evaluation.choice import evenly
from models.evaluation.mouths import Mouths
from models.evaluation.nearest import Nearest, VoiceIndex

FIT_CLIPS = 2_000
"""Training clips that baselines are fitted on, chosen evenly over people: some 5 h."""


@runtime_checkable
class Baseline(Protocol):
    """Motion for a voice, of the person of one pose. deterministic: whether the same voice gives the same motion."""

    deterministic: ClassVar[bool]

    def __call__(
        self,
        audio_features: Float[np.ndarray, "time audio"],
        sound: Int16[np.ndarray, " samples"],
        reference: Float32[np.ndarray, "133 3"],
        /,
    ) -> Float32[np.ndarray, "time 133 3"]:
        """A pose of the 512 crop at 25 FPS, one frame per row of the features and 640 samples of the sound."""
        ...


@dataclass(frozen=True, slots=True)
class Still:
    """The reference, standing still."""

    deterministic: ClassVar[bool] = True

    def __call__(self, audio_features, sound, reference, /):
        """The reference in every frame."""
        return np.repeat(reference[None], len(audio_features), axis=0)


@dataclass(frozen=True, slots=True)
class MeanPose:
    """The mean of all training frames, in the layout a network sees, standing still."""

    deterministic: ClassVar[bool] = True
    skeleton: Skeleton
    statistics: Statistics

    def __call__(self, audio_features, sound, reference, /):
        """The same mean in every frame, whoever the person is."""
        values = np.repeat(self.statistics.mean[None], len(audio_features), axis=0)
        return decoded(self.skeleton, self.statistics, values, reference)


@dataclass(frozen=True)
class Fitted:
    """Baselines by name, and what they were fitted on, in words."""

    baselines: Mapping[str, Baseline]
    facts: Mapping[str, str]


def fitted(
    training: Motions, skeleton: Skeleton, statistics: Statistics, voices: Features, poses: Features, *,
    at_most: int = FIT_CLIPS, on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Fitted:  # fmt: skip
    """What is made of the training clips alone; without the mouths where those clips show no lips.

    Clips go by one after the other. statistics: of all training clips. voices, poses: families of the training clips.
    at_most: clips that are read; which ones does not depend on the seed of an evaluation.
    """
    numbers = evenly(training.entries, at_most, seed=0)
    mouths = Mouths.new(voices.family.size)
    for done, number in enumerate(numbers, start=1):
        rows = voices.rows(training.entries[number])
        mouths.add(training.pose(number), training.sound(number), rows)
        on_progress(done, len(numbers))
    index = VoiceIndex.of([training.entries[number] for number in numbers], voices)
    made: dict[str, Baseline | None] = {
        "reference, still": Still(),
        "mean pose": MeanPose(skeleton, statistics),
        "nearest neighbour": Nearest(skeleton, statistics, index, poses),
        "loudness baseline": mouths.loudness.baseline(),
        "ridge baseline": mouths.ridge.baseline(),
    }
    chosen = "all" if len(numbers) == len(training) else f"{len(numbers)} of"
    even = "" if len(numbers) == len(training) else ", chosen evenly over people"
    return Fitted(
        {name: baseline for name, baseline in made.items() if baseline is not None},
        {
            "baselines fitted on": f"{chosen} {len(training)} training clips{even}; voices as {voices.family.name}",
            "mean pose of": f"all {len(training)} training clips",
            "nearest neighbour, definition 2": index.facts,
        },
    )
