"""Where the weights of a sync backend lie, without the libraries that read them."""

from pathlib import Path


def find(at: Path | None, file_name: str) -> Path | None:
    """The weights file: `at` itself, or the file of the published name in the folder `at`; None
    where there is none.
    """
    if at is None:
        return None
    file = at / file_name if at.is_dir() else at
    return file if file.is_file() else None
