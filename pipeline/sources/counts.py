"""What one reading of sources met beside its sources, and how it is said."""

from collections.abc import Collection
from dataclasses import dataclass, field

SAID = 5  # names that a sentence lists


@dataclass(slots=True)
class Counts:
    """Filled while the sources are drawn."""

    name: str = ""  # of the list or folder, for the notes
    sources: int = 0  # bad rows included: each is a source that is dropped
    duplicates: int = 0  # rows that repeat an earlier locator
    bad_rows: int = 0
    unknown_columns: set[str] = field(default_factory=set[str])
    own_output: set[str] = field(default_factory=set[str])  # work folders and datasets left out
    closed_folders: set[str] = field(default_factory=set[str])  # that may not be read


def notes(counts: Counts) -> list[str]:
    """A sentence for each thing that the user should know of, to be printed when the run ends."""
    said: list[str] = []
    if counts.unknown_columns:
        columns = sorted(counts.unknown_columns)
        said.append(f"columns not read: {', '.join(columns)}")
    if (repeated := counts.duplicates) > 0:
        said.append(
            f"{repeated} {'row repeats' if repeated == 1 else 'rows repeat'} an earlier locator and "
            f"{'was' if repeated == 1 else 'were'} left out"
        )
    if (bad := counts.bad_rows) > 0:
        said.append(
            f"{bad} {'row' if bad == 1 else 'rows'} cannot be read, each one dropped source; the report says why"
        )
    if counts.own_output:
        said.append(
            f"left out, being work folders or datasets of runs: {names_in(counts.own_output)}"
        )
    if counts.closed_folders:
        said.append(f"left out, since they may not be read: {names_in(counts.closed_folders)}")
    return [f"{counts.name}: {sentence}" for sentence in said]


def names_in(names: Collection[str]) -> str:
    """The first names in order, and how many more there are."""
    more = f" and {len(names) - SAID} more" if len(names) > SAID else ""
    return ", ".join(sorted(names)[:SAID]) + more
