"""checksums.json: the SHA-256 of every file of a dataset, and the file root over them (DESIGN section 4)."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, Field, ValidationError

from manifests.files import sha256_of, write_whole
from manifests.record import SCHEMA_VERSION

FILE = "checksums.json"
UNSEALED = frozenset({FILE, "run.json"})
"""What is outside the file root: the seals themselves, and the times and hosts of a run."""
LARGEST = 1 << 30
"""Bytes of a JSON manifest, at most: a million files take some 150 MB."""


class ChecksumsError(ValueError):
    """A checksums.json that cannot be read as one."""


class Sealed(BaseModel):
    """One file as it was sealed."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Checksums(BaseModel):
    """What checksums.json says. files: by path below the dataset, with `/` between the parts."""

    schema_version: int
    root: str = Field(description="SHA-256 over the sorted (path, SHA-256) of the files")
    files: dict[str, Sealed]


def write_checksums(folder: Path, known: Mapping[str, str]) -> str:
    """Seal every regular file below a folder but checksums.json and run.json; returns the file root.

    known: SHA-256 by path of what was hashed when it was written; the rest is hashed here.
    """
    files = {
        path: Sealed(sha256=known.get(path) or sha256_of(file), bytes=file.stat().st_size)
        for path, file in sorted(regular_files(folder))
        if path not in UNSEALED
    }
    sealed = Checksums(schema_version=SCHEMA_VERSION, root=file_root(files), files=files)
    write_whole(folder / FILE, json.dumps(sealed.model_dump(), indent=1, sort_keys=True) + "\n")
    return sealed.root


def read_checksums(folder: Path) -> Checksums | None:
    """The seals of a dataset, None where it has none. Raises ChecksumsError where they cannot be read."""
    try:
        return Checksums.model_validate_json(read_manifest(folder / FILE))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        words = first_error(error) if isinstance(error, ValidationError) else str(error)
        raise ChecksumsError(f"{FILE} cannot be read: {words}") from error


def read_manifest(file: Path) -> bytes:
    """A JSON manifest as it is. Raises OSError, also for one that is too large to be one."""
    if file.stat().st_size > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return file.read_bytes()


def file_root(files: Mapping[str, Sealed]) -> str:
    """SHA-256 over the sorted (path, SHA-256) of files."""
    listed = json.dumps([[path, files[path].sha256] for path in sorted(files)])
    return hashlib.sha256(listed.encode()).hexdigest()


def regular_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every regular file below a folder with its path from there, unsorted; links are neither listed nor followed."""
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(folder).as_posix(), file


def leads_out(path: str) -> bool:
    """Whether a path that a manifest names is none below the dataset's folder."""
    parts = PurePosixPath(path)
    return not parts.parts or parts.is_absolute() or ".." in parts.parts or "\0" in path


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong with a record, on one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
