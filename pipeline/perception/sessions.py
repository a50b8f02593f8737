"""ONNX Runtime as this project uses it: one session a file and process, the same answer on every machine of a kind."""

import hashlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from manifests.errors import UserError
from manifests.files import sha256_of

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
    found = file_hash(path)
    if sha256 is not None and found != sha256:
        raise WeightsError(f"{path.name} has SHA-256 {found}, wanted {sha256}")
    return _session(path, path.stat().st_mtime_ns, device, threads)


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file, computed once until it changes; None where there is none."""
    return _sha256(path, path.stat().st_mtime_ns) if path.is_file() else None


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
    installed = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    return next((importlib.metadata.version(n) for n in names if n in installed), "unknown")


@cache
def _session(path: Path, stamp: int, device: Device, threads: int) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        path.read_bytes(), sess_options=options, providers=_PROVIDERS[device]
    )


def _available() -> list[str]:
    import onnxruntime

    return onnxruntime.get_available_providers()


@cache
def _sha256(path: Path, stamp: int) -> str:
    return sha256_of(path)
