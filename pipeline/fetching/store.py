"""The folder of fetched files: finished ones by their SHA-256, unfinished ones by locator, receipts of both.

    ab/ab12….mp4            a finished file, named by its bytes
    receipts/<key>.json     which bytes a locator gave, so that a killed run does not fetch them again
    partial/<key>/          what has come so far, and what is needed to go on
    stat/<key>.json         size, times and SHA-256 of a file that was hashed once
    names/<key>.mp4         a link to a file whose name is no UTF-8, under a name that everybody can open
    hosts/<key>.json        a host that did not answer, see breaker.py

<key> is a hash of the locator or path, so no name from outside becomes a file name here.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from manifests.files import make_folder, put_in_place, sha256_of, write_whole
from manifests.record import Page, Record

CHUNK = 1 << 16  # bytes read at once: what a broken connection can take away
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


class TooManyBytes(ValueError):
    """A source sends more than is allowed."""


class Receipt(Record):
    """What fetching a locator gave."""

    locator: str
    wanted: str  # the settings that choose between several versions of one video
    sha256: str
    bytes: int
    suffix: str
    page: Page | None = None
    uploaders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells, without reading it, that a file is still the one that was hashed."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Signature":
        """The signature of a file as it is now."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


@dataclass(frozen=True, slots=True)
class Folder:
    """Fetched files under one folder, which several workers may share."""

    root: Path

    def partial(self, locator: str) -> "Partial":
        """Where the unfinished file of a locator lies."""
        return Partial(self.root / "partial" / key_of(locator))

    @contextmanager
    def locked_for(self, locator: str) -> Iterator[None]:
        """One worker at a time per locator; the system frees it when the worker dies."""

        path = self.root / "partial" / f"{key_of(locator)}.held"
        with locked(path):
            yield

    def receipt(self, locator: str, wanted: str, *, read: bool = True) -> Receipt | None:
        """The receipt of a locator, where its file is still here whole; read: as in `find`."""
        try:
            text = self._receipt(locator).read_text(encoding="utf-8")
            receipt = Receipt.model_validate_json(text)
        except (FileNotFoundError, ValidationError):
            return None
        here = self.find(receipt.sha256, receipt.suffix, read=read) is not None
        return receipt if here and (receipt.locator, receipt.wanted) == (locator, wanted) else None

    def received(self) -> set[str]:
        """SHA-256 of every file that a receipt names."""
        found: set[str] = set()
        for file in self.root.glob("receipts/*.json"):
            with suppress(OSError, ValidationError):
                found.add(Receipt.model_validate_json(file.read_text(encoding="utf-8")).sha256)
        return found

    def find(self, sha256: str, suffix: str | None = None, *, read: bool = True) -> Path | None:
        """The finished file with these bytes; one that was changed since counts as absent.

        read: whether one whose hash is not remembered may be read; it counts as absent otherwise.
        """
        folder = self.root / sha256[:2]
        names = (
            [f"{sha256}{suffix}"] if suffix else sorted(p.name for p in folder.glob(f"{sha256}.*"))
        )
        hash_of = self.hash_of if read else self.remembered
        for name in names:
            path = folder / name
            if path.is_file() and hash_of(path) == sha256:
                return path
        return None

    def path(self, receipt: Receipt) -> Path:
        """Where the file of a receipt lies."""
        return self.root / receipt.sha256[:2] / f"{receipt.sha256}{receipt.suffix}"

    def commit(self, receipt: Receipt, file: Path) -> Path:
        """Move a finished file to its name, then say so in its receipt."""
        path = self.path(receipt)
        make_folder(path.parent, below=self.root.parent)
        put_in_place(file, path)
        self.remember(path, receipt.sha256)
        write_whole(self._receipt(receipt.locator), receipt.model_dump_json())
        self.partial(receipt.locator).clear()
        return path

    def hash_of(self, path: Path) -> str:
        """SHA-256 of a file, read only if it changed since it was read last."""
        if (known := self.remembered(path)) is not None:
            return known
        before = Signature.of(path)
        sha256 = sha256_of(path)
        self.remember(path, sha256, before)
        return sha256

    def remembered(self, path: Path) -> str | None:
        """SHA-256 of a file that is as it was when it was read last; None where it has to be read."""
        known = self.recall(path)
        return known[0] if known else None

    def recall(self, path: Path) -> tuple[str, int] | None:
        """SHA-256 and bytes of a file that is as it was when it was read last; None where it has to be read."""
        try:
            known = json.loads(self._stat(path).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        signature = Signature.of(path)
        same = isinstance(known, dict) and known.get("signature") == asdict(signature)
        return (str(known["sha256"]), signature.size) if same else None

    def remember(self, path: Path, sha256: str, before: Signature | None = None) -> None:
        """Keep the hash of a file, unless the file changed while it was read."""
        signature = Signature.of(path)
        if before in (None, signature):
            known = {"path": str(path), "signature": asdict(signature), "sha256": sha256}
            write_whole(self._stat(path), json.dumps(known))

    def link(self, path: Path) -> Path:
        """Where a file whose name cannot be written down is linked under one that can; not made here."""
        return self.root / "names" / f"{key_of(str(path))}{safe_suffix(path.name)}"

    def host(self, host: str) -> Path:
        """Where it is kept that a host did not answer."""
        return self.root / "hosts" / f"{key_of(host)}.json"

    def _receipt(self, locator: str) -> Path:
        return self.root / "receipts" / f"{key_of(locator)}.json"

    def _stat(self, path: Path) -> Path:
        return self.root / "stat" / f"{key_of(str(path.absolute()))}.json"


@dataclass(frozen=True, slots=True)
class Partial:
    """An unfinished file and the state that is needed to go on with it."""

    folder: Path

    @property
    def file(self) -> Path:
        """The bytes so far."""
        return self.folder / "media.part"

    @property
    def have(self) -> int:
        """Bytes so far."""
        return self.file.stat().st_size if self.file.is_file() else 0

    def state(self) -> dict[str, str]:
        """What was noted when the file was begun; empty where nothing was begun."""
        try:
            content = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}

    def begin(self, state: dict[str, str]) -> None:
        """Start again from nothing with this state."""
        self.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "state.json", json.dumps(state))

    def clear(self) -> None:
        """Forget what has come so far."""
        shutil.rmtree(self.folder, ignore_errors=True)


def append(
    read: Callable[[int], bytes],
    file: Path,
    *,
    bytes_per_second: int | None,
    most: int,
    first: bytes = b"",
) -> None:
    """Append a stream to a file, at most `bytes_per_second` of it; raises TooManyBytes past `most` bytes."""
    with file.open("ab") as out:
        done, size, start = 0, out.tell(), time.monotonic()
        chunk = first or read(chunk_size(bytes_per_second))
        while chunk:
            done, size = done + len(chunk), size + len(chunk)
            if size > most:
                raise TooManyBytes(f"sends more than {most} bytes")
            out.write(chunk)
            if bytes_per_second:
                time.sleep(max(0.0, done / bytes_per_second - (time.monotonic() - start)))
            chunk = read(chunk_size(bytes_per_second))


def chunk_size(bytes_per_second: int | None) -> int:
    """Bytes per read: a quarter of a second at most where there is a limit."""
    return CHUNK if bytes_per_second is None else max(1, min(CHUNK, bytes_per_second // 4))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the system frees the lock of one that dies."""
    from filelock import FileLock  # not needed by those who only look

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def key_of(text: str) -> str:
    """A file name for a locator or path from outside."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def safe_suffix(name: str, otherwise: str = ".bin") -> str:
    """The ending of a name from outside if it is a plain one."""
    suffix = Path(name).suffix.lower()
    return suffix if SUFFIX.fullmatch(suffix) else otherwise
