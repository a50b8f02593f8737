"""The system's configurations. The network has the published size in each, so that the filter reads its export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.systems.lips import range_checked
from models.training.settings import SettingsError, Training


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration.

    size: pixels of the kept face squares, enlarged to 224 for the network; a person's face is rarely larger in a crop
    of 512, and 400 hours take 1.4 TB at 112 and 5.4 TB at 224. windows: of each clip in a batch, from a stretch that
    reaches as many frames to both sides as the filter looks for offsets. apart: frames from which two windows of one
    clip are each other's negatives; nearer ones are too alike to be told apart.
    """

    size: int = 112
    windows: int = 8
    reach: int = 15
    apart: int = 2
    validation_frames: int = 250
    calibration: int = 16
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        for name, least in (
            ("size", 16),
            ("windows", 1),
            ("reach", 1),
            ("apart", 1),
            ("validation_frames", 40),
            ("calibration", 0),
        ):
            range_checked(name, getattr(self, name), least)
        if self.windows * self.training.batch_size // self.training.accumulate < 2:
            raise SettingsError(
                "a batch needs two windows to compare, got one: raise windows or training.batch_size"
            )


def tiny() -> Config:
    """Tens of minutes on a CPU; enough to fit ten clips."""
    training = Training(
        steps=200, batch_size=4, learning_rate=3e-4, warmup=10, ema_decay=0.0, validate=200, validation_clips=16,
        save=50, log=5, previews=0,
    )  # fmt: skip
    return Config(windows=6, validation_frames=100, training=training)


def paper() -> Config:
    """For hundreds of hours on a GPU.

    Differs from the papers: AdamW with a cosine schedule, as the other systems here; batch and steps are ours, as
    neither paper's data are these. Weights are not averaged: running statistics of batch norm belong to no average.
    """
    training = Training(
        steps=200_000, batch_size=64, learning_rate=1e-4, schedule="cosine", warmup=1_000, weight_decay=1e-4,
        ema_decay=0.0, precision="bf16", workers=8, save=2_000, validate=5_000, validation_clips=512, previews=0,
    )  # fmt: skip
    return Config(training=training)


CONFIGS: Mapping[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
