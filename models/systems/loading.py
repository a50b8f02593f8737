"""From a trained folder to a generator: its system is the one that the folder names."""

from collections.abc import Sequence
from pathlib import Path

from models.infer.generator import Generator
from models.systems import SYSTEMS, UnknownSystem, system_of
from models.systems.base import Generating
from models.systems.folder import ModelError, model_folder
from models.training.settings import overridden


def load_generator(folder: Path, assignments: Sequence[str] = ()) -> Generator:
    """The generator of a trained folder. assignments: `name=value` of the system's settings of generating.

    Raises ModelError, SettingsError.
    """
    saved = model_folder(folder)
    try:
        system = system_of(saved.system)
    except UnknownSystem as error:
        raise ModelError(f"{folder}: {error}") from error
    if not isinstance(system, Generating):
        raise ModelError(
            f"{folder} holds a trained {saved.system}, which makes no motion: it goes from {SYSTEMS[saved.system].does}"
        )
    return system.load(folder, overridden(system.generation(), assignments))
