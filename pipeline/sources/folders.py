"""The videos below a folder of this machine, or that a glob matches."""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manifests.record import Origin
from pipeline.sources.counts import Counts
from pipeline.sources.errors import SourceListError, SourcesUnreachable
from pipeline.sources.locators import Located, local
from pipeline.sources.own_output import is_own, is_sample, own_folder_of, read_start
from pipeline.sources.printable import printable
from pipeline.sources.remote import Fault, client_errors, diagnose, files_matching
from pipeline.sources.shares import Shares

VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogv", ".ts", ".webm", ".wmv"}
)
MAGIC = re.compile(r"[*?\[]")
NOTHING = "nothing is there; allowed: a list, a folder, a glob, a video or a URL"
OWN = "is, or lies in, the work folder or dataset of a run; allowed: videos from elsewhere"


def is_video(path: str) -> bool:
    """Whether a name ends like a video."""
    return PurePosixPath(path).suffix.lower() in VIDEOS


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder it lies in, has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.split("/"))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what a file system raises into a sentence about what was given."""
    try:
        yield
    except client_errors() as error:
        raise list_error(what, error) from error


def list_error(what: str, error: BaseException) -> SourceListError:
    """The sentence in an error of a file system: an outage, or a mistake."""
    said = diagnose(error)
    if said.fault is Fault.MISSING:
        return SourceListError(f"{what}: {NOTHING}")
    if said.fault in (Fault.CLOSED, Fault.SETUP):
        return SourceListError(f"{what}: access refused: {said.words}")
    return SourcesUnreachable(f"{what}: cannot be reached: {said.words}")


@dataclass(frozen=True, slots=True)
class Root:
    """A local folder that sources are named from."""

    path: str
    counts: Counts
    shares: Shares

    @classmethod
    def of(cls, path: str, counts: Counts) -> "Root":
        """The root with the shares below it."""
        return cls(path, counts, Shares(path))

    def inside(self, path: str) -> str:
        """A path below, as it is named and written."""
        return printable(posixpath.relpath(path, self.path))

    def source(self, path: str) -> Located:
        """The source at a path below; any file name that the system allows will do."""
        address = local(path, share=self.shares.of(path))
        return Located(Origin(locator=self.inside(path)), address)


def folder(given: str, what: str, counts: Counts) -> Iterator[Located]:
    """The videos below a folder, depth first, sorted by name in each; linked folders are not entered."""
    path = posixpath.abspath(given)
    refuse_own(path, what)
    with reading(what):
        os.scandir(path).close()
    return walk(path, Root.of(path, counts), what)


def single_file(given: str, what: str, counts: Counts) -> Located:
    """A video given by itself, known by its name."""
    path = posixpath.abspath(given)
    refuse_own(path, what)
    return Root.of(posixpath.dirname(path), counts).source(path)


def refuse_own(path: str, what: str) -> None:
    """Raises SourceListError for what lies in a work folder or a dataset, but for the sample that is kept there."""
    if (own := own_folder_of(path, {})) is not None and not is_sample(path, own):
        raise SourceListError(f"{what}: {OWN}")


def walk(path: str, root: Root, what: str) -> Iterator[Located]:
    """The videos below one folder. Raises SourcesUnreachable where a folder is there and cannot be read."""
    try:
        with os.scandir(path) as opened:
            entries = sorted(opened, key=lambda entry: entry.name)
    except PermissionError:
        root.counts.closed_folders.add(root.inside(path))
        return
    except OSError as error:
        shown = root.inside(path)
        raise SourcesUnreachable(f"{what}: {shown} cannot be read: {error.strerror}") from error
    names = {entry.name for entry in entries}
    if is_own(names.__contains__, lambda name: read_start(Path(path, name))):
        root.counts.own_output.add(root.inside(path))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path, root, what)
        elif is_video(entry.name) and may_be_file(entry):
            yield root.source(entry.path)


def may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether a file lies there, or a link to one that is away: that is said when it is fetched."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def glob(given: str, what: str, counts: Counts) -> Iterator[Located]:
    """The videos that a glob matches, sorted, known by their path from its last plain folder on."""
    from fsspec.implementations.local import LocalFileSystem  # the globs of every other file system

    pattern = posixpath.abspath(given)
    root, known = Root.of(plain_folder(pattern) or "/", counts), dict[str, bool]()
    with reading(what):
        files = files_matching(LocalFileSystem(), pattern)
    sources: list[str] = []
    for path in files:
        if not is_video(path) or is_hidden(posixpath.relpath(path, root.path)):
            continue
        own = own_folder_of(posixpath.dirname(path), known)
        if own is not None and not is_sample(root.path, own):
            counts.own_output.add(root.inside(own))
        else:
            sources.append(path)
    if not sources:
        own = " but those of runs" if counts.own_output else ""
        raise SourceListError(f"{what}: matches no video{own}; allowed: {' '.join(sorted(VIDEOS))}")
    return map(root.source, sources)


def plain_folder(pattern: str) -> str:
    """The part of a glob before the first folder or name with a wildcard."""
    return MAGIC.split(pattern, maxsplit=1)[0].rpartition("/")[0]
