"""Names for what is kept between measurements, made of all that made it: whatever changes is measured anew."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from pipeline.perception.sessions import file_hash

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("av", "cv2", "mediapipe", "numpy", "onnxruntime", "scipy", "torch")
"""What decodes and computes, by the name that is imported."""


def made_of(texts: Iterable[str], *, files: Sequence[Path] = (), marks: Sequence[str] = ()) -> str:
    """16 hexadecimal digits that name what was made so.

    texts: Python modules, or folders of them with all below, as places in the project; files: media and weights, whose
    bytes count and not their names; marks: whatever else decides. The libraries' versions always do.
    """
    parts = [*libraries(), *texts_of(tuple(texts)), *(hashed(file) for file in files), *marks]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def hashed(file: Path) -> str:
    """SHA-256 of a file. Raises FileNotFoundError where there is none."""
    found = file_hash(file)
    if found is None:
        raise FileNotFoundError(f"{file} is not there, and what it makes cannot be named")
    return found


@cache
def libraries() -> tuple[str, ...]:
    """Each library with the version of every distribution that brings it."""
    brought = packages_distributions()
    return tuple(
        f"{name} "
        + " ".join(f"{one}={installed(one)}" for one in sorted(set(brought.get(name, ()))))
        for name in LIBRARIES
    )


def installed(distribution: str) -> str:
    """Its version."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "none"


@cache
def texts_of(places: tuple[str, ...]) -> tuple[str, ...]:
    """Place and hash of every module. Raises FileNotFoundError for a place without any."""
    return tuple(f"{module.relative_to(ROOT)} {hashed(module)}" for module in modules(places))


def modules(places: Iterable[str], root: Path = ROOT) -> list[Path]:
    """The modules at some places, each once and in order. Raises FileNotFoundError for a place without any."""
    found: set[Path] = set()
    for place in places:
        here = root / place
        some = [here] if here.is_file() else list(here.rglob("*.py"))
        if not some:
            raise FileNotFoundError(f"{place} has no Python module in it")
        found.update(some)
    return sorted(found)
