"""The reference speech backend: a pyannote.audio 4 diarization pipeline from a local folder,
offline, telemetry off.

The folder is laid out like `pyannote/speaker-diarization-community-1`: `config.yaml` and the files
of `PARTS`. The pipeline of pyannote 3.1 works too, with its two checkpoints put in `segmentation/`
and `embedding/`, and the `plda/` of community-1, which pyannote.audio 4 reads even where it does
not use it.
"""

import importlib.util
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import yaml
from jaxtyping import Float32, Int16

from pipeline.packages import version_of
from pipeline.perception.speech.interface import (
    SAMPLE_RATE,
    Measures,
    SpeechError,
    SpeechFunction,
    SpeechResult,
    Stretch,
    turns_of,
)
from pipeline.perception.speech.voices import unit
from pipeline.weight_hashes import hashed, known_sha256

CONFIG = "config.yaml"
CHECKPOINTS = ("segmentation/pytorch_model.bin", "embedding/pytorch_model.bin")
PARTS = (CONFIG, *CHECKPOINTS, "plda/plda.npz", "plda/xvec_transform.npz")
"""What the folder holds; `weights` hashes them in this order."""
PIPELINE = "pyannote.audio.pipelines.SpeakerDiarization"
HARMLESS = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.nodes.AnyNode",
        "pyannote.audio.core.task.Problem",
        "pyannote.audio.core.task.Resolution",
        "pyannote.audio.core.task.Specifications",
        "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "torch.torch_version.TorchVersion",
        "typing.Any",
    }
)
"""What a pyannote checkpoint's pickle may name beyond tensors. pyannote reads it without
`weights_only`, so a file that names anything else is not handed to it unless its hash was vouched
for."""


@runtime_checkable
class _Segment(Protocol):
    start: float
    end: float


@runtime_checkable
class _Annotation(Protocol):
    def itertracks(self, *, yield_label: bool) -> Iterable[tuple[_Segment, object, str]]: ...
    def get_overlap(self) -> Iterable[_Segment]: ...
    def get_timeline(self) -> "_Timeline": ...
    def labels(self) -> list[str]: ...


@runtime_checkable
class _Timeline(Protocol):
    def support(self) -> Iterable[_Segment]: ...


@runtime_checkable
class _Diarization(Protocol):
    """pyannote.audio 4's `DiarizeOutput`."""

    speaker_diarization: _Annotation
    exclusive_speaker_diarization: _Annotation
    speaker_embeddings: np.ndarray | None


@runtime_checkable
class _Pipeline(Protocol):
    def __call__(self, file: Mapping[str, object]) -> _Diarization: ...


@dataclass(frozen=True, slots=True)
class Pyannote:
    """pyannote.audio's diarization: turns, overlaps and voices; it says nothing of music.

    folder: where the weights lie. sha256: what `weights` has to be; with it, the files are trusted
    as they are, without it their pickles may name nothing outside `HARMLESS`. merge: pauses shorter
    than this, in seconds, do not end a turn.
    """

    name: ClassVar[str] = "pyannote"
    same_voice: ClassVar[float] = 0.5
    """Not measured here, the weights being gated: half way on WeSpeaker ResNet34's usual cosine
    scale."""
    measures: ClassVar[Measures] = frozenset({"turns", "overlaps"})

    folder: Path | None = None
    sha256: str | None = None
    merge: float = 1.0

    @property
    def version(self) -> str:
        """This backend's own version, then the library's."""
        return f"1 pyannote.audio={version_of('pyannote.audio') or 'none'}"

    @property
    def weights(self) -> str | None:
        """SHA-256 over the files of `PARTS` in their order; None where one is absent."""
        if self.folder is None or self._absent() is not None:
            return None
        return _sha256(*(self.folder / part for part in PARTS))

    def _absent(self) -> str | None:
        parts = () if self.folder is None else PARTS
        return next(
            (part for part in parts if not (self.folder or Path()).joinpath(part).is_file()), None
        )

    def missing(self) -> str | None:
        """What is absent of the library and the folder, or None."""
        if version_of("pyannote.audio") is None:
            return (
                "pyannote.audio is not installed: pip install pyannote.audio==4.0.7, with a"
                " torchaudio built for the installed torch"
            )
        if importlib.util.find_spec("torchaudio") is None:
            return (
                "pyannote.audio is installed, but torchaudio, which it imports, is not: install one"
                " built for the installed torch"
            )
        if self.folder is None:
            return (
                "no folder of weights is set (speech.weights): accept the terms of"
                " pyannote/speaker-diarization-community-1 at its publisher and download all of it"
            )
        if (part := self._absent()) is not None:
            return f"{self.folder} has no {part}: it has to hold {', '.join(PARTS)}"
        return None

    def load(self) -> SpeechFunction:
        """The pipeline in memory, on the CPU, one thread.

        Raises SpeechError where `missing` says something, where the files' hash is not `sha256`,
        where the configuration names another pipeline, where a checkpoint's pickle names
        something that is not harmless, or where pyannote.audio cannot be imported.
        """
        if (lack := self.missing()) or self.folder is None:
            raise SpeechError(f"speech backend pyannote: {lack}")
        found = self.sha256 and hashed(*(self.folder / part for part in PARTS))
        if found != self.sha256:
            raise SpeechError(f"{self.folder} has SHA-256 {found}, expected {self.sha256}")
        config = configuration(self.folder)
        if self.sha256 is None:
            for checkpoint in CHECKPOINTS:
                check_pickle(self.folder / checkpoint)
        return _Diarizer(_pipeline(config), self.merge)


@dataclass(frozen=True, slots=True)
class _Diarizer:
    """The loaded backend."""

    pipeline: _Pipeline
    merge: float

    def __call__(self, samples: Int16[np.ndarray, " samples"]) -> SpeechResult:
        import torch

        if len(samples) == 0:
            return SpeechResult((), (), (), (), np.zeros((0, 0), np.float32))
        waveform = torch.from_numpy(samples.astype(np.float32) / 32_768.0)[None]
        return heard(
            self.pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE}),
            len(samples) / SAMPLE_RATE,
            self.merge,
        )


def heard(found: _Diarization, seconds: float, merge: float) -> SpeechResult:
    """pyannote's answer on a recording of so many seconds, as `SpeechResult`."""
    tracks = found.exclusive_speaker_diarization.itertracks(yield_label=True)
    labels = found.speaker_diarization.labels()
    turns = sorted(
        (*_clipped(segment, seconds), labels.index(label)) for segment, _, label in tracks
    )
    order = list(dict.fromkeys(number for *_, number in turns))
    return SpeechResult(
        voiced=tuple(
            _clipped(part, seconds) for part in found.speaker_diarization.get_timeline().support()
        ),
        turns=turns_of(tuple(turns), merge),
        overlaps=tuple(
            sorted(_clipped(part, seconds) for part in found.speaker_diarization.get_overlap())
        ),
        music=(),
        voices=_voices(found.speaker_embeddings, order),
    )


def _clipped(segment: _Segment, seconds: float) -> Stretch:
    return max(0.0, float(segment.start)), min(seconds, float(segment.end))


def _voices(embeddings: np.ndarray | None, order: list[int]) -> Float32[np.ndarray, "speakers D"]:
    """Embeddings of unit length of the speakers in this order; one too short for it has zeros. None of
    any where the pipeline gives none."""
    if embeddings is None:
        return np.zeros((0, 0), np.float32)
    return unit(np.nan_to_num(embeddings[order].astype(np.float32)))


def configuration(folder: Path) -> dict[str, object]:
    """The pipeline's settings, with every model taken from the folder whatever the file calls it.

    Raises SpeechError for another pipeline than speaker diarization: its name is a class to import.
    """
    config = yaml.safe_load((folder / CONFIG).read_text("utf-8"))
    try:
        name, settings = config["pipeline"]["name"], dict(config["pipeline"].get("params") or {})
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SpeechError(f"{folder / CONFIG} is no pipeline configuration") from error
    if name != PIPELINE:
        raise SpeechError(f"{folder / CONFIG} names the pipeline {name!r}, expected {PIPELINE!r}")
    for part in ("segmentation", "embedding", "plda"):
        settings[part] = {"checkpoint": str(folder), "subfolder": part}
    return {"pipeline": {"name": name, "params": settings}, "params": config.get("params") or {}}


def check_pickle(path: Path) -> None:
    """Read what a checkpoint's pickle names, without running it. Raises SpeechError for anything
    not in `HARMLESS`."""
    import torch

    try:
        names = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (RuntimeError, ValueError, EOFError) as error:
        raise SpeechError(f"{path} is no PyTorch checkpoint") from error
    if strange := sorted(names - HARMLESS):
        raise SpeechError(
            f"{path} would run {', '.join(strange)} when read; if you trust it, give the SHA-256"
            " of its folder"
        )


def _pipeline(config: dict[str, object]) -> _Pipeline:
    # pyannote.audio reports usage unless switched off before its import; with every path local nothing is
    # left to download.
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    try:
        with warnings.catch_warnings():
            # Its libraries warn of what they cannot decode; sound comes to them decoded.
            warnings.simplefilter("ignore")
            from pyannote.audio import Pipeline  # pyright: ignore[reportMissingImports] - optional
    except (ImportError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise SpeechError(
            f"pyannote.audio is installed but cannot be imported: {reason}"
        ) from error
    torch.set_num_threads(1)
    return Pipeline.from_pretrained(config)


_sha256 = cache(known_sha256)
"""Once per process: what was loaded stays loaded, whatever becomes of the files."""
