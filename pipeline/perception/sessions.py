"""ONNX Runtime as this project uses it: one session a file and process, the same answer on every machine of a kind."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from manifests.errors import UserError
from pipeline.packages import version_of
from pipeline.weight_hashes import known_sha256

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Device = Literal["cpu", "cuda"]

_PROVIDERS: dict[Device, list[str]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}


class WeightsError(UserError):
    """A weights file that is not the one that was asked for, or not a model of this kind."""


def lacking(path: Path, *, device: Device, what: str, setting: str) -> str | None:
    """What keeps an ONNX file from being run, in one sentence, else None.

    what: the kind of model, for the sentence; setting: the one that names the file.
    """
    if version() == "none":
        return "onnxruntime is not installed: pip install onnxruntime"
    if path == Path():
        return f"no file is set ({setting}): {what}"
    if not path.is_file():
        return f"no weights at {path}: {what}"
    if device == "cuda" and _PROVIDERS[device][0] not in _available():
        return "this onnxruntime has no CUDA: pip install onnxruntime-gpu"
    return None


def session(
    path: Path, *, device: Device = "cpu", threads: int = 1, sha256: str | None = None
) -> "InferenceSession":
    """The session of a file, loaded once per process. Raises WeightsError for a file of another hash.

    threads: of one operator; the order of sums, so the last digits of an answer, depends on it.
    """
    return _session(path, path.stat().st_mtime_ns, device, threads, sha256)


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file, computed once until it changes; None where there is none."""
    return known_sha256(path) if path.is_file() else None


def joint_hash(*hashes: str | None) -> str | None:
    """One hash for several files that decide together: a single one as it is; None where one is absent."""
    present = [found for found in hashes if found is not None]
    if len(present) < len(hashes):
        return None
    return (
        present[0] if len(present) == 1 else hashlib.sha256("".join(present).encode()).hexdigest()
    )


@cache
def version() -> str:
    """Version of the installed onnxruntime, or "none"."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "none"
    names = ("onnxruntime", "onnxruntime-gpu")
    return next((found for name in names if (found := version_of(name)) is not None), "unknown")


@cache
def _session(
    path: Path, stamp: int, device: Device, threads: int, sha256: str | None
) -> "InferenceSession":
    import onnxruntime

    content = path.read_bytes()
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise WeightsError(f"{path.name} has SHA-256 {found}, wanted {sha256}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, sess_options=options, providers=_PROVIDERS[device])


def _available() -> list[str]:
    import onnxruntime

    return onnxruntime.get_available_providers()
