"""A dataset as a phase sees it: clips to train on, clips to validate on, families of arrays that are computed ahead."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from models.data.features import (
    Features,
    OnProgress,
    Recipe,
    compute,
    open_features,
)
from models.data.files import DatasetError
from models.data.index import Motions
from models.data.splits import divided


@dataclass(frozen=True)
class Dataset:
    """Clips, and where their features lie. without: identities that are left out of training and validated on."""

    motions: Motions
    training: Motions
    validation: Motions
    features: Path | str | None = None
    without: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        without: tuple[str, ...] = (),
        features: Path | str | None = None,
    ) -> "Dataset":
        """folder: a path or a URL. features: where families lie; None: beside the shards. Raises DatasetError."""
        whole = Motions.open(folder)
        training, validation = divided(whole, without)
        if not len(training):
            raise DatasetError(f"{folder} has no clip to train on")
        return cls(whole, training, validation, features, without)

    def compute(
        self, recipe: Recipe, *, workers: int = 0, part: tuple[int, int] = (0, 1),
        on_progress: OnProgress = lambda done, of: None,
    ) -> None:  # fmt: skip
        """What is not there yet of a family (`models.data.features.compute`). Raises DatasetError."""
        compute(
            self.motions, recipe, self.features, workers=workers, part=part, on_progress=on_progress
        )

    def family(self, recipe: Recipe) -> Features:
        """A family of all clips. Raises NotPrepared where it is not computed."""
        return open_features(self.motions, recipe.family, self.features)

    def real(self) -> "Dataset":
        """The same without dubbed and generated clips, whose lips do not speak their voice. Raises DatasetError."""
        training = self.training.where(lambda entry: entry.synthetic is None)
        if not len(training):
            raise DatasetError(
                f"{self.motions.folder} has dubbed and generated clips only to train on"
            )
        validation = self.validation.where(lambda entry: entry.synthetic is None)
        return replace(self, training=training, validation=validation)

    @cached_property
    def facts(self) -> dict[str, object]:
        """What a trained folder says of what it was trained on. Raises DatasetError."""
        crop = self.motions.crop
        return {
            "dataset": self.motions.root,
            "pose_backend": self.training.pose_backend,
            "crop": {"size": crop.size, "margin": crop.margin},
            "clips": len(self.training),
            "people": len(self.training.identities),
            "without": sorted(self.without),
        }
