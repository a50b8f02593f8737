"""A trained model with all that generating needs: network, layout, statistics, encoder, schedule. In one folder."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors import SafetensorError
from torch import Tensor

from manifests.errors import UserError
from models.data.audio import Encoder, Sound, encoder_of
from models.data.decoding import decoded
from models.data.statistics import Statistics
from models.systems.csg405.condition import Sampling, sample
from models.systems.csg405.configs import Config, Network
from models.systems.csg405.model import SkeletonTransformer
from models.systems.csg405.published import PublishedTransformer
from models.training.settings import parsed, plain

How = TypeVar("How", bound=Sampling)

FILES = frozenset(
    {
        *("README.md", "config.json", "statistics.json", "system.json"),
        "diffusion_pytorch_model.safetensors",
    }
)
"""What `Trained.save` writes."""


LAYOUT = 2
"""Of the folder. 1: before networks, settings and statistics had their names of today."""


class ModelError(UserError):
    """A folder that holds no trained model of this system, cannot be written, or does not fit what it is given."""


@dataclass(frozen=True, slots=True)
class Making(Sampling):
    """Sampling, and where it happens. encoder: None for the one the model was trained with, found without help.

    precision: of the network's arithmetic; bfloat16 is faster where the processor has it, and a little coarser.
    """

    encoder: str | None = None
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Trained:
    """What `csg-model train` and `csg-model import` write. facts: where it came from, and the scale of guidance."""

    config: Config
    network: Network
    statistics: Statistics
    encoder: Encoder
    facts: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path, how: "Making | None" = None) -> "Trained":
        """From `save`'s folder, or from the run above it. Raises ModelError."""
        how = how or Making()
        folder = folder / "model" if (folder / "model" / "system.json").is_file() else folder
        try:
            told = json.loads((folder / "system.json").read_text())
            if not isinstance(told, dict):
                raise TypeError("system.json holds no object")
            refuse_other_layout(folder, told)
            config, facts = parsed(Config, told["config"]), dict(told["facts"])
            hears = tuple(told["encoder"][name] for name in ("name", "version", "weights"))
            kind = PublishedTransformer if config.network == "released" else SkeletonTransformer
            precision = getattr(torch, how.precision)
            network: Any = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, torch_dtype=precision
            )
            for tensor in (*network.parameters(), *network.buffers()):
                tensor.data = (
                    tensor.data.clone()
                )  # aligned: within a file small products round otherwise
            statistics = Statistics.read(folder / "statistics.json")
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder} holds no trained csg405 model: {error}") from error
        if len(statistics.mean) != config.skeleton.size:
            raise ModelError(
                f"{folder} has statistics of {len(statistics.mean)} numbers, needed {config.skeleton.size}"
            )
        listener = encoder_of(how.encoder or config.encoder, device=how.device)
        given = (listener.name, listener.version, listener.weights)
        if given != hears:
            raise ModelError(
                "the model expects audio encoder {} {} with weights {}, got {} {} with {}".format(
                    *hears, *given
                )
            )
        try:
            network = network.to(how.device).eval()
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"device {how.device!r} cannot be used: {reason}") from error
        return cls(config, network, statistics, listener, facts)

    def save(self, folder: Path) -> None:
        """Whole or not at all: `save_pretrained` of the network, its facts, a model card. Raises ModelError."""
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            self._write(temporary)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{folder} cannot be written: {error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _write(self, temporary: Path) -> None:
        from models.systems.csg405.card import card

        self.network.save_pretrained(temporary)
        self.statistics.write(temporary / "statistics.json")
        encoder = {
            "name": self.encoder.name,
            "version": self.encoder.version,
            "weights": self.encoder.weights,
        }
        told = {
            "system": "csg405",
            "layout": LAYOUT,
            "config": plain(self.config),
            "encoder": encoder,
            "facts": dict(self.facts),
        }
        (temporary / "system.json").write_text(json.dumps(told, indent=2) + "\n")
        parameters = sum(each.numel() for each in self.network.parameters())
        (temporary / "README.md").write_text(card(told, parameters))

    @property
    def scale(self) -> float:
        """Of guidance, where nobody asks for another: what was measured when the model was exported, else none (1)."""
        return float(self.facts.get("guidance", {}).get("scale", 1.0))

    def resolved(self, how: How) -> How:
        """The same with the model's own scale of guidance where none is asked for."""
        return replace(how, scale=self.scale) if how.scale is None else how

    @torch.inference_mode()
    def generate(
        self,
        features: Float[np.ndarray, "time audio"],
        reference: Float[np.ndarray, "133 3"],
        *,
        seed: int = 0,
        how: Sampling | None = None,
    ) -> Float32[np.ndarray, "time 133 3"]:
        """Motion in pixels of the 512 crop for a voice that went through `encoder`, of the person of one pose.

        Raises ModelError for a reference of which nothing is known, and for sampling that does not fit the model.
        """
        how = how or Sampling()
        self.check(how)
        how = self.resolved(how)
        device = next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        heard = torch.from_numpy(np.asarray(features, np.float32))[None].to(device)
        before = self.reference(reference).to(device)
        values = sample(
            self.network, heard, before[None], noise=self.config.noise, frames=self.config.frames,
            how=how, generator=generator,
        )[0]  # fmt: skip
        said = self.statistics.undo(values.cpu().numpy())
        return decoded(self.config.skeleton, self.statistics, said, reference)

    def check(self, how: Sampling) -> None:
        """Raises ModelError for more steps than there are, and windows that share all they have."""
        most = self.config.noise.steps
        if how.steps > most and how.sampler != "ancestral":
            raise ModelError(f"the model has {most} steps of noise, asked for steps={how.steps}")
        if (how.overlap or 0) >= self.config.frames:
            raise ModelError(
                f"the model has windows of {self.config.frames} frames, asked for overlap={how.overlap}"
            )

    def reference(self, pose: Float[np.ndarray, "133 3"]) -> Float[Tensor, "before size"]:
        """One pose as the network is shown it: normalised, and as often as it wants. Raises ModelError."""
        values, known = self.config.skeleton.encode(pose[None].astype(np.float32))
        if not known.any():
            raise ModelError("the reference shows no joint with enough confidence")
        rows = np.where(known, self.statistics.apply(values), 0.0).astype(np.float32)
        return torch.from_numpy(rows.repeat(self.config.reference.frames, axis=0))

    def hear(self, sound: Sound) -> Float[np.ndarray, "time audio"]:
        """A voice through the encoder, once."""
        return self.encoder(sound)


def refuse_other_layout(folder: Path, told: Mapping[str, Any]) -> None:
    """Raises ModelError for a folder that another version of this code wrote."""
    if (layout := told.get("layout", 1)) != LAYOUT:
        raise ModelError(
            f"{folder} has layout {layout}, needed {LAYOUT}: train it anew (csg-model train), with the settings in its "
            "system.json under their names of today"
        )
