"""The system's configurations. The network has the published size in each, so that the filter reads its export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.systems.lips import range_checked
from models.training.settings import SettingsError, Training


@dataclass(frozen=True, slots=True)
class Mixture:
    """How often a face is shown with what, in parts of the sum.

    own: its own voice. shifted: the same voice from elsewhere in the clip. foreign: another person's; where there is
    nobody else, shifted. still: its own voice, and one picture held, as of somebody who listens.
    """

    own: float = 0.4
    shifted: float = 0.25
    foreign: float = 0.25
    still: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no mixture."""
        for name in ("own", "shifted", "foreign", "still"):
            range_checked(f"mixture.{name}", getattr(self, name), 0.0)
        if not 0.0 < sum(self.parts) < float("inf"):
            raise SettingsError(f"mixture has one part above 0, got {self.parts}")

    @property
    def parts(self) -> tuple[float, float, float, float]:
        """In the order of the fields."""
        return self.own, self.shifted, self.foreign, self.still


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration.

    size: pixels of the kept face squares, enlarged to 112 for the network; 400 hours take 0.45 TB at 112. frames: of a
    clip in a batch. shift: frames by which a shifted voice is off at least. mixture: of voices.
    """

    size: int = 112
    frames: int = 100
    shift: int = 5
    mixture: Mixture = field(default_factory=Mixture)
    validation_frames: int = 250
    calibration: int = 16
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        for name, least in (
            ("size", 16),
            ("frames", 1),
            ("shift", 1),
            ("validation_frames", 40),
            ("calibration", 0),
        ):
            range_checked(name, getattr(self, name), least)


def tiny() -> Config:
    """Tens of minutes on a CPU; enough to fit ten clips."""
    training = Training(
        steps=300, batch_size=4, learning_rate=1e-3, warmup=10, ema_decay=0.0, validate=300, validation_clips=16,
        save=50, log=5, previews=0,
    )  # fmt: skip
    return Config(size=56, frames=25, validation_frames=100, training=training)


def paper() -> Config:
    """For hundreds of hours on a GPU: the published losses, optimizer and learning rate of Light-ASD.

    Differs from the paper: the rate falls as a cosine instead of by 5 % per epoch, and batches hold clips of one length
    instead of 2000 frames of several. Weights are not averaged: running statistics of batch norm belong to no average.
    """
    training = Training(
        steps=200_000, batch_size=20, learning_rate=1e-3, schedule="cosine", warmup=1_000, ema_decay=0.0,
        precision="bf16", workers=8, save=2_000, validate=5_000, validation_clips=512, previews=0,
    )  # fmt: skip
    return Config(training=training)


CONFIGS: Mapping[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
