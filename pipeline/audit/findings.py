"""What an audit finds wrong, and the message for a broken file of a dataset."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.audit.errors import LookError

OnProgress = Callable[[int], None]
"""Called with the number of bytes that were read, by several threads."""


class BrokenFile(LookError):
    """A file of a dataset that cannot be read as what it should be."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. path: below the dataset or the work folder."""

    path: str
    problem: str


def no_progress(read: int) -> None:
    """For those who do not follow the progress."""


def printable(text: str) -> str:
    """Text from a damaged file without what a terminal would act on."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
