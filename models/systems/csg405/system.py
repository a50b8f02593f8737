"""The row of the table of systems: configurations, the one phase, loading and importing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.data.audio import encoder_of
from models.data.dataset import Dataset
from models.data.features import Recipe, audio_features, pose_features
from models.systems.base import Generating
from models.systems.csg405.checkpoints import imported
from models.systems.csg405.configs import CONFIGS, Config
from models.systems.csg405.generator import GenerationSettings, SkeletonGenerator
from models.systems.csg405.training import NAME, MotionPhase


@dataclass(frozen=True, slots=True)
class Csg405:
    """Yang et al. 2025 (arXiv:2507.06812): a voice and one skeleton to a moving skeleton."""

    configs: Mapping[str, Callable[[], Config]]
    generation: type[GenerationSettings] = GenerationSettings
    published: str = (
        "a checkpoint (.pth) of the code released with the paper, with Mean_… and "
        "Std_pose_rescaled_local_smooth_no_leg.npy; configuration: released"
    )

    def phases(self, config: Config) -> tuple[str, ...]:
        """Only one."""
        return (NAME,)

    def recipes(
        self, phase: str, config: Config, exports: Mapping[str, Path], device: str
    ) -> Sequence[Recipe]:
        """Poses, and voices through the encoder. Raises EncoderError."""
        encoder = encoder_of(config.encoder, device=device)
        return (pose_features(config.skeleton), audio_features(encoder))

    def phase(
        self, phase: str, config: Config, dataset: Dataset, exports: Mapping[str, Path], device: str
    ) -> MotionPhase:
        """Raises NotPrepared, EncoderError."""
        return MotionPhase.of(config, dataset, device)

    def load(self, folder: Path, generation: GenerationSettings) -> SkeletonGenerator:
        """Raises ModelError, EncoderError."""
        return SkeletonGenerator.load(folder, generation)

    def import_published(
        self, checkpoint: Path, statistics: Sequence[Path], config: Config, folder: Path
    ) -> None:
        """Raises WeightsError, EncoderError, ModelError."""
        imported(checkpoint, statistics, config).save(folder)


SYSTEM: Generating = Csg405(CONFIGS)
