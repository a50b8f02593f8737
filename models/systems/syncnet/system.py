"""The row of the table of systems: configurations and the one phase."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.data.dataset import Dataset
from models.data.features import Recipe
from models.data.lips import SYNCNET, face_squares
from models.systems.base import System
from models.systems.lips import NAME, shared_recipes
from models.systems.syncnet.configs import CONFIGS, Config
from models.systems.syncnet.training import SyncNetPhase


@dataclass(frozen=True, slots=True)
class SyncNetSystem:
    """Chung & Zisserman 2016: whether lips fit a voice, and at which offset."""

    configs: Mapping[str, Callable[[], Config]]

    def phases(self, config: Config) -> tuple[str, ...]:
        """Only one."""
        return (NAME,)

    def recipes(
        self, phase: str, config: Config, exports: Mapping[str, Path], device: str
    ) -> Sequence[Recipe]:
        """Faces, cepstra, and how late the sound is."""
        return (face_squares(SYNCNET, config.size, "rgb"), *shared_recipes())

    def phase(
        self, phase: str, config: Config, dataset: Dataset, exports: Mapping[str, Path], device: str
    ) -> SyncNetPhase:
        """Raises NotPrepared."""
        families = [dataset.family(each) for each in self.recipes(phase, config, exports, device)]
        return SyncNetPhase("syncnet", config, dataset.real(), *families)


SYSTEM: System = SyncNetSystem(CONFIGS)
