"""A trained model with all that generating needs: network, layout, statistics, encoder, schedule. In one folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from models.data import features
from models.data.audio import Encoder, Sound, encoder_of
from models.data.decoding import decoded
from models.data.features import Recipe
from models.data.statistics import Statistics
from models.diffusion.sampling import Sampling
from models.infer.generator import Motion, Person
from models.systems.csg405.card import card
from models.systems.csg405.condition import sample
from models.systems.csg405.configs import Config, Network
from models.systems.csg405.model import SkeletonTransformer
from models.systems.csg405.published import PublishedTransformer
from models.systems.folder import UNREADABLE, ModelError, model_folder, to_device, write_model
from models.training.settings import parsed, plain

How = TypeVar("How", bound=Sampling)


@dataclass(frozen=True, slots=True)
class GenerationSettings(Sampling):
    """Sampling, and where it happens. encoder: None for the one the model was trained with, found without help.

    precision: of the network's arithmetic; bfloat16 is faster where the processor has it, and a little coarser.
    """

    encoder: str | None = None
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class SkeletonGenerator:
    """What `csg-model train` and `csg-model import` write. facts: where it came from, and the scale of guidance.

    wanted: how motion is made; what it leaves open is the model's own (`generation`).
    """

    config: Config
    network: Network
    statistics: Statistics
    encoder: Encoder
    facts: Mapping[str, Any]
    wanted: GenerationSettings = GenerationSettings()

    @classmethod
    def load(cls, folder: Path, wanted: GenerationSettings | None = None) -> "SkeletonGenerator":
        """From `save`'s folder, or from the run above it. Raises ModelError."""
        wanted = wanted or GenerationSettings()
        saved = model_folder(folder)
        try:
            config = parsed(Config, saved.stated["config"])
            expected = tuple(
                saved.stated["encoder"][name] for name in ("name", "version", "weights")
            )
            network = read_network(saved.path, config, getattr(torch, wanted.precision))
            statistics = Statistics.read(saved.path / "statistics.json")
        except UNREADABLE as error:
            raise ModelError(f"{folder} holds no trained csg405 model: {error}") from error
        if len(statistics.mean) != config.skeleton.size:
            raise ModelError(
                f"{folder} has statistics of {len(statistics.mean)} numbers, needed {config.skeleton.size}"
            )
        encoder = encoder_of(wanted.encoder or config.encoder, device=wanted.device)
        given = (encoder.name, encoder.version, encoder.weights)
        if given != expected:
            raise ModelError(
                "the model expects audio encoder {} {} with weights {}, got {} {} with {}".format(
                    *expected, *given
                )
            )
        to_device(network, wanted.device)
        generator = cls(config, network, statistics, encoder, saved.facts, wanted)
        generator.check(wanted)
        return generator

    def save(self, folder: Path) -> None:
        """Whole or not at all: `save_pretrained` of the network, statistics, facts, a model card. Raises ModelError."""
        encoder = {
            "name": self.encoder.name,
            "version": self.encoder.version,
            "weights": self.encoder.weights,
        }
        stated = {
            "system": "csg405",
            "config": plain(self.config),
            "encoder": encoder,
            "facts": dict(self.facts),
        }

        def write(temporary: Path) -> None:
            self.network.save_pretrained(temporary)
            self.statistics.write(temporary / "statistics.json")

        parameters = sum(each.numel() for each in self.network.parameters())
        write_model(folder, stated, card(stated, parameters), write)

    @property
    def audio_recipe(self) -> Recipe:
        """The voice through the encoder."""
        return features.audio_features(self.encoder)

    @property
    def generation(self) -> GenerationSettings:
        """How motion is made, with the model's own scale of guidance where none is asked for."""
        return self.resolved(self.wanted)

    @property
    def scale(self) -> float:
        """Of guidance, where nobody asks for another: what was measured when the model was exported, else none (1)."""
        return float(self.facts.get("guidance", {}).get("scale", 1.0))

    def resolved(self, how: How) -> How:
        """The same with the model's own scale of guidance where none is asked for."""
        return replace(how, scale=self.scale) if how.scale is None else how

    def encode_audio(self, sound: Sound) -> Float[np.ndarray, "time audio"]:
        """A voice through the encoder, once."""
        return self.encoder(sound)

    def generate(
        self, audio_features: Float[np.ndarray, "time audio"], person: Person, *, seed: int
    ) -> Motion:
        """Motion of one person for a voice that went through `encoder`. Raises ModelError."""
        return Motion(self.pose(audio_features, person.pose, seed=seed))

    @torch.inference_mode()
    def pose(
        self,
        audio_features: Float[np.ndarray, "time audio"],
        reference: Float[np.ndarray, "133 3"],
        *,
        seed: int = 0,
        how: Sampling | None = None,
    ) -> Float32[np.ndarray, "time 133 3"]:
        """Motion in pixels of the 512 crop. how: instead of `wanted`.

        Raises ModelError for a reference of which nothing is known, and for sampling that does not fit the model.
        """
        how = self.resolved(how or self.wanted)
        self.check(how)
        device = next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        audio = torch.from_numpy(np.asarray(audio_features, np.float32))[None].to(device)
        before = self.reference(reference).to(device)
        values = sample(
            self.network, audio, before[None], noise=self.config.noise, frames=self.config.frames,
            how=how, generator=generator,
        )[0]  # fmt: skip
        rows = self.statistics.undo(values.float().cpu().numpy())
        return decoded(self.config.skeleton, self.statistics, rows, reference)

    def check(self, how: Sampling) -> None:
        """Raises ModelError for more steps than there are, and windows that overlap whole."""
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


def read_network(folder: Path, config: Config, precision: torch.dtype) -> Network:
    """The network in a folder. Raises what `UNREADABLE` names."""
    kind = cast(
        "Any", PublishedTransformer if config.network == "released" else SkeletonTransformer
    )
    network = kind.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, torch_dtype=precision
    )
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data = tensor.data.clone()  # aligned: within a file small products round otherwise
    return network
