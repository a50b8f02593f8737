"""Where the weights of a sync backend lie, and what is stated of them, without the libraries that read them."""

import json
from pathlib import Path
from typing import Any


def own_file(network: str) -> str:
    """The name under which weights of one's own lie in a folder. network: the backend's name."""
    return f"{network}.model"


def find(at: Path | None, *file_names: str) -> Path | None:
    """The weights file: `at` itself, or the first of these names that is in the folder `at`; None
    where there is none.
    """
    if at is None:
        return None
    files = [at / name for name in file_names] if at.is_dir() else [at]
    return next((file for file in files if file.is_file()), None)


def beside(file: Path) -> Path:
    """The JSON that states the hash of weights of one's own."""
    return file.with_name(f"{file.name}.json")


def stated(file: Path | None) -> str | None:
    """The SHA-256 that the JSON beside a weights file states; None without one that can be read."""
    if file is None:
        return None
    try:
        found: Any = json.loads(beside(file).read_text())
    except (OSError, ValueError):
        return None
    sha256 = found.get("sha256") if isinstance(found, dict) else None
    return sha256 if isinstance(sha256, str) else None
