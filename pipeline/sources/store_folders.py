"""The videos below a folder, or that a glob matches, behind an fsspec URL."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manifests.record import Origin
from pipeline.sources.counts import Counts
from pipeline.sources.errors import SourceListError
from pipeline.sources.folders import (
    NOTHING,
    OWN,
    VIDEOS,
    is_hidden,
    is_video,
    plain_folder,
    reading,
)
from pipeline.sources.locators import Address, Located, store
from pipeline.sources.own_output import LARGEST, blob_folder, is_own
from pipeline.sources.printable import printable
from pipeline.sources.remote import files_matching, open_store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """A folder as it was given and as its file system calls it."""

    scheme: str
    given: str  # what follows the scheme, logins included
    base: str
    system: "AbstractFileSystem"
    counts: Counts

    def source(self, path: str) -> Located:
        """The source at a path below."""
        inside = posixpath.relpath(path, self.base)
        address = store(self.scheme, f"{self.given}/{inside}")
        return Located(Origin(locator=printable(address.spelling)), address)

    def is_own(self, path: str, names: set[str]) -> bool:
        """Whether a folder with these names in it is a work folder or a dataset; it is counted."""

        def read(name: str) -> str | bytes:
            return self.system.cat_file(f"{path}/{name}", start=0, end=LARGEST)

        if not is_own(names.__contains__, read):
            return False
        self.counts.own_output.add(posixpath.relpath(path, self.base))
        return True


def store_folder(address: Address, what: str, counts: Counts) -> Iterator[Located]:
    """The videos below a folder, depth first, sorted by name in each."""
    given = address.text.partition("://")[2].rstrip("/")
    with reading(what):
        system, path = open_store(address.text)
        facts = system.info(path)  # isdir takes a store that is away for no folder
        if facts["type"] != "directory":
            raise SourceListError(f"{what}: {NOTHING}")
    base = path.rstrip("/")
    root = StoreRoot(address.scheme, given, base, system, counts)
    return told_while(walk(base, root), root, what)


def told_while(found: Iterator[Located], root: StoreRoot, what: str) -> Iterator[Located]:
    """The sources, with what goes wrong on the way in words."""
    with reading(what):
        yield from found
    if "." in root.counts.own_output:
        raise SourceListError(f"{what}: {OWN}")


def walk(path: str, root: StoreRoot) -> Iterator[Located]:
    """The videos below one folder."""
    met = {str(entry["name"]).rstrip("/"): entry for entry in root.system.ls(path, detail=True)}
    names = {posixpath.basename(name) for name in met}
    if root.is_own(path, names):
        return
    for name, entry in sorted(met.items()):
        if name == path or posixpath.basename(name).startswith("."):
            continue
        if entry["type"] == "directory":
            yield from walk(name, root)
        elif is_video(name):
            yield root.source(name)


def store_glob(address: Address, what: str, counts: Counts) -> Iterator[Located]:
    """The videos that a glob matches, sorted."""
    given = plain_folder(address.text.partition("://")[2])
    with reading(what):
        system, pattern = open_store(address.text)
        root = StoreRoot(address.scheme, given, plain_folder(pattern), system, counts)
        files = files_matching(system, pattern)
        own = own_of(files, root)
    sources = [
        path
        for path in files
        if is_video(path)
        and not is_hidden(posixpath.relpath(path, root.base))
        and blob_folder(path) not in own
    ]
    if not sources:
        raise SourceListError(f"{what}: matches no video; allowed: {' '.join(sorted(VIDEOS))}")
    return map(root.source, sources)


def own_of(files: list[str], root: StoreRoot) -> set[str]:
    """The work folders among those that the names of these files speak of."""
    named = {folder for path in files if (folder := blob_folder(path)) is not None}
    return {
        folder
        for folder in named
        if root.is_own(
            folder,
            {
                posixpath.basename(str(name).rstrip("/"))
                for name in root.system.ls(folder, detail=False)
            },
        )
    }
