"""Sound as one vector per video frame: the embedded encoder, which needs no weights, and those of transformers."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float16, Float32, Int16
from safetensors import SafetensorError
from torch import Tensor

from manifests.errors import UserError
from manifests.files import sha256_of
from pipeline.perception.speech.voices import mel

Sound = Int16[np.ndarray, " samples"]


class EncoderError(UserError):
    """An encoder that does not exist, or whose weights are not where they are stated to be."""


@runtime_checkable
class Encoder(Protocol):
    """One vector per frame of a whole recording. name, version, weights: what its features are filed under."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def weights(self) -> str | None:
        """SHA-256 of the weights; None where there are none."""
        ...

    @property
    def size(self) -> int:
        """Numbers per frame."""
        ...

    def __call__(self, sound: Sound, /) -> Float16[np.ndarray, "frames size"]:
        """sound: 16 kHz, 640 samples for each frame. Raises ValueError."""
        ...


def frames_of(sound: Sound) -> int:
    """How many frames a sound covers. Raises ValueError for a part of one, or none."""
    frames, rest = divmod(len(sound), 640)
    if rest or not frames:
        raise ValueError(f"sound needs 640 samples for each frame, got {len(sound)}")
    return frames


# ---- embedded --------------------------------------------------------------------------------------------------------

ROWS_PER_FRAME = 4
"""Spectra every 10 ms, frames every 40 ms."""
QUIET = 1e-8
"""Power of a mel band below which is silence: the rounding noise of 16 bits."""
LEVEL = 95.0
"""Percentile of the frames' loudness that stands for how loud a recording is."""


@dataclass(frozen=True, slots=True)
class LogMel:
    """40 log-mel bands, four spectra side by side per frame: 160 numbers, in 20 dB below the recording's level.

    The spectrogram is that of the speaker encoder (`pipeline.perception.speech.voices.mel`); the level is taken out, so
    that how loud somebody was recorded does not look like how loud they speak.
    """

    name: str = field(default="logmel", init=False)
    version: str = field(default="2", init=False)
    weights: str | None = field(default=None, init=False)
    size: int = field(default=40 * ROWS_PER_FRAME, init=False)

    def __call__(self, sound: Sound, /) -> Float16[np.ndarray, "frames size"]:
        """Frame i sees the 40 ms that begin at its time."""
        frames = frames_of(sound)
        spectra = mel(sound.astype(np.float32) / 32_768.0)[: frames * ROWS_PER_FRAME]
        decibels = 10.0 * np.log10(np.maximum(spectra, QUIET))
        level = np.percentile(decibels.max(axis=1), LEVEL)
        return ((decibels - level) / 20.0).reshape(frames, self.size).astype(np.float16)


# ---- transformers ----------------------------------------------------------------------------------------------------

HUB = {
    "wav2vec2": "facebook/wav2vec2-base-960h",
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base-plus",
}
"""Published weights by our name. Yang et al. 2025 takes wav2vec 2.0 (section 3.1), at 768 numbers per frame."""
LONGEST = 750
"""Frames (30 s) that go through an encoder at once; longer sound goes in pieces."""
MARGIN = 50
"""Frames (2 s) of sound on each side of a piece whose features are thrown away."""


@dataclass(frozen=True)
class SpeechEncoder:
    """wav2vec 2.0, HuBERT or WavLM: the last hidden states, brought to 25 per second linearly, ends on ends.

    folder: as `save_pretrained` writes it, with the weights in safetensors. Raises EncoderError where it holds none, or
    those of another encoder.
    """

    name: str
    folder: Path
    device: str = "cpu"

    version: str = field(default="1", init=False)

    def __post_init__(self) -> None:
        """Refuse a folder without weights at once."""
        if not self._files:
            raise EncoderError(
                f"{self.folder} has no weights of {self.name} (*.safetensors); "
                f"published as {HUB.get(self.name, 'a folder of save_pretrained')} on the Hugging Face hub"
            )
        kind = self._stated("config.json").get("model_type")
        if kind != self.name:
            raise EncoderError(f"{self.folder} holds {kind}, needed {self.name}")

    @property
    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def _stated(self, name: str) -> dict[str, Any]:
        """What a file of the folder says. Raises EncoderError."""
        try:
            stated = json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise EncoderError(f"{self.folder / name} cannot be read: {error}") from error
        return stated if isinstance(stated, dict) else {}

    @property
    def weights(self) -> str | None:
        """SHA-256 over the weight files, the network's shape and how it wants the sound; as they were at first look."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        digest = hashlib.sha256()
        for file in [*self._files, self.folder / "config.json"]:
            digest.update(bytes.fromhex(sha256_of(file)))
        digest.update(b"centred" if self._centred else b"as it is")
        return digest.hexdigest()

    @cached_property
    def _network(self) -> torch.nn.Module:
        from transformers import AutoModel

        try:
            network, loading = AutoModel.from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise EncoderError(f"{self.folder} cannot be loaded as {self.name}: {error}") from error
        if lacking := set(loading["missing_keys"]) - {"masked_spec_embed"}:  # used in training only
            raise EncoderError(f"{self.folder} lacks weights of {self.name}: {min(lacking)}")
        return network.float().to(self.device).eval()

    @cached_property
    def _centred(self) -> bool:
        """Whether the sound is brought to mean 0 and standard deviation 1 first, as the encoder was trained."""
        if not (self.folder / "preprocessor_config.json").is_file():
            return True
        return bool(self._stated("preprocessor_config.json").get("do_normalize", True))

    @property
    def size(self) -> int:
        return int(self._stated("config.json")["hidden_size"])

    def __call__(self, sound: Sound, /) -> Float16[np.ndarray, "frames size"]:
        frames = frames_of(sound)
        samples = torch.from_numpy(sound.astype(np.float32) / 32_768.0)
        if self._centred:
            samples = (samples - samples.mean()) / (samples.var(unbiased=False) + 1e-7).sqrt()
        pieces = [
            self._piece(samples, first, min(first + LONGEST, frames), frames)
            for first in range(0, frames, LONGEST)
        ]
        return np.concatenate(pieces).astype(np.float16)

    @torch.inference_mode()
    def _piece(
        self, samples: Tensor, first: int, stop: int, frames: int
    ) -> Float32[np.ndarray, "frames size"]:
        begin, end = max(0, first - MARGIN), min(frames, stop + MARGIN)
        samples_here = samples[begin * 640 : end * 640].to(self.device)
        states = self._network(samples_here[None]).last_hidden_state
        paced = torch.nn.functional.interpolate(
            states.transpose(1, 2).float(), size=end - begin, mode="linear", align_corners=True
        )
        return paced[0].T[first - begin : stop - begin].cpu().numpy()


def encoder_of(wanted: str, *, device: str = "cpu") -> Encoder:
    """`logmel`, or `wav2vec2=FOLDER` with its weights, `hubert=…`, `wavlm=…`. Raises EncoderError."""
    name, _, folder = wanted.partition("=")
    embedded = LogMel()
    if wanted == embedded.name:
        return embedded
    if name not in HUB:
        raise EncoderError(
            f"an encoder is one of {', '.join([embedded.name, *HUB])}, got {wanted!r}"
        )
    if not folder:
        raise EncoderError(
            f"{name} needs its weights: {name}=FOLDER, fetched from {HUB[name]} on the Hugging Face hub"
        )
    return SpeechEncoder(name, Path(folder), device)
