"""What a system is: named configurations and the phases that train it; one that makes motion also loads a generator."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from models.data.dataset import Dataset
from models.data.features import Recipe
from models.infer.generator import Generator, Motion, Person
from models.training.phase import Batch, Group, Losses, Networks, Objective, Phase

__all__ = [
    "Batch", "Dataset", "Exports", "Generating", "Generator", "Group", "Importer", "Losses", "Motion",
    "Networks", "Objective", "Person", "Phase", "System",
]  # fmt: skip

Exports = Mapping[str, Path]
"""Folders of what the phases before have exported, by phase."""


@runtime_checkable
class System(Protocol):
    """One row of `models.systems.SYSTEMS` names an object of this kind.

    configs: functions without arguments that give a frozen nested dataclass.
    """

    @property
    def configs(self) -> Mapping[str, Callable[[], Any]]: ...

    def phases(self, config: Any) -> tuple[str, ...]:
        """Names in the order in which they are trained. The export of the last one is the model."""
        ...

    def recipes(self, phase: str, config: Any, exports: Exports, device: str) -> Sequence[Recipe]:
        """The families that a phase reads, which are computed ahead; without those that need an export which is not
        there yet. Raises UserError."""
        ...

    def phase(
        self, phase: str, config: Any, dataset: Dataset, exports: Exports, device: str
    ) -> Phase:
        """A phase on a dataset in which its families are prepared. Raises UserError."""
        ...


@runtime_checkable
class Generating(System, Protocol):
    """A system that makes motion, for `generate` and `evaluate`; what others export is read elsewhere.

    generation: the class of the settings of generating, a dataclass of which all have defaults, `device` among them.
    """

    @property
    def generation(self) -> type: ...

    def load(self, folder: Path, generation: Any) -> Generator:
        """The generator in a folder that the last phase exported. Raises UserError."""
        ...


@runtime_checkable
class Importer(Protocol):
    """A system that takes in checkpoints which were published by others."""

    @property
    def published(self) -> str:
        """Which ones, in one sentence."""
        ...

    def import_published(
        self, checkpoint: Path, statistics: Sequence[Path], config: Any, folder: Path
    ) -> None:
        """Write a folder that `System.load` reads; no code in the checkpoint is run. Raises UserError."""
        ...
