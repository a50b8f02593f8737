"""The row of the table of systems: configurations and the one phase."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.data.dataset import Dataset
from models.data.features import Recipe
from models.data.lips import ACTIVE_SPEAKER, face_squares, voiced
from models.systems.base import System
from models.systems.light_asd.configs import CONFIGS, Config
from models.systems.light_asd.training import LightPhase
from models.systems.lips import NAME, shared_recipes


@dataclass(frozen=True, slots=True)
class LightSystem:
    """Liao et al. 2023 (arXiv:2303.04439): whether a face speaks a voice."""

    configs: Mapping[str, Callable[[], Config]]

    def phases(self, config: Config) -> tuple[str, ...]:
        """Only one."""
        return (NAME,)

    def recipes(
        self, phase: str, config: Config, exports: Mapping[str, Path], device: str
    ) -> Sequence[Recipe]:
        """Faces, cepstra, how late the sound is, and where it is a voice."""
        return (face_squares(ACTIVE_SPEAKER, config.size, "grey"), *shared_recipes(), voiced())

    def phase(
        self, phase: str, config: Config, dataset: Dataset, exports: Mapping[str, Path], device: str
    ) -> LightPhase:
        """Raises NotPrepared, SettingsError."""
        *shared, speech = (
            dataset.family(each) for each in self.recipes(phase, config, exports, device)
        )
        return LightPhase("light-asd", config, dataset.real(), *shared, voiced=speech)


SYSTEM: System = LightSystem(CONFIGS)
