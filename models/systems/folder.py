"""The folder of a trained model: `system.json`, which says of which system it is, and what that system lays beside it.

system.json   system, layout, config, facts, and what else the system states
README.md     the model card
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from manifests.errors import UserError
from manifests.files import replacing_folder

if TYPE_CHECKING:
    from torch.nn import Module

LAYOUT = 2
"""Of the folder. 1: before networks, settings and statistics had their names of today."""


class ModelError(UserError):
    """A folder that holds no trained model, cannot be written, or does not fit what it is given."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder, and what its system.json states."""

    path: Path
    stated: Mapping[str, Any]

    @property
    def system(self) -> str:
        """The name of the system, as the table of systems has it."""
        return str(self.stated["system"])

    @property
    def facts(self) -> dict[str, Any]:
        """Where it came from."""
        return dict(self.stated["facts"])


def to_device(network: "Module", device: str) -> None:
    """Move a network to where generating is asked to happen, ready for it. Raises ModelError."""
    try:
        network.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"device {device!r} cannot be used: {reason}") from error
    network.eval()


UNREADABLE = (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError)
"""What reading a folder raises that is damaged or of another kind."""


def model_folder(given: Path) -> ModelFolder:
    """The model in a folder, or in the run above it. Raises ModelError."""
    folder = given / "model" if (given / "model" / "system.json").is_file() else given
    try:
        stated = json.loads((folder / "system.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{given} holds no trained model: {error}") from error
    if not isinstance(stated, dict) or not isinstance(stated.get("system"), str):
        raise ModelError(f"{given} holds no trained model: system.json names no system")
    if (layout := stated.get("layout", 1)) != LAYOUT:
        raise ModelError(
            f"{folder} has layout {layout}, needed {LAYOUT}: train it anew (csg-model train), with the settings in its "
            "system.json under their names of today"
        )
    if not isinstance(stated.get("facts"), dict) or not isinstance(stated.get("config"), dict):
        raise ModelError(f"{given} holds no trained model: system.json has no config and facts")
    return ModelFolder(folder, stated)


def write_model(
    folder: Path, stated: Mapping[str, Any], card: str, write: Callable[[Path], None]
) -> None:
    """A folder, whole or not at all, in the place of an earlier one.

    stated: `system`, `config`, `facts` and what else the system wants. write: lays weights and all else into a folder.
    Raises ModelError.
    """
    try:
        with replacing_folder(folder) as temporary:
            write(temporary)
            whole = {**stated, "layout": LAYOUT}
            (temporary / "system.json").write_text(json.dumps(whole, indent=2) + "\n")
            (temporary / "README.md").write_text(card)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder} cannot be written: {error}") from error
