"""Markdown tables read back: the figures of a page of measurements, by heading, row and column."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

Record = dict[str, str]
"""A row: its cells by the names of their columns."""


class TableError(ValueError):
    """A page without the heading, table or row that was asked for."""


def table_below(text: str, heading: str = "", *, first: str) -> list[Record]:
    """The first table below a heading (below the top without one) whose first column is called `first`.

    A column's name that comes again has its number behind it: `recall`, `recall 2`. A row that ends early is filled
    with empty cells. Raises TableError.
    """
    lines = text.splitlines()
    begins = 0
    if heading:
        titles = [
            n for n, line in enumerate(lines) if re.fullmatch(f"#+ {re.escape(heading)}", line)
        ]
        if not titles:
            raise TableError(f"no heading {heading!r}")
        begins = titles[0]
    for number in range(begins, len(lines)):
        if lines[number].startswith("|") and cells(lines[number])[0] == first:
            return records(lines[number:])
    raise TableError(f"no table of {first!r} below {repr(heading) if heading else 'the top'}")


def records(lines: Sequence[str]) -> list[Record]:
    """The rows of the table that the first of these lines is the head of."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for name in cells(lines[0]):
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    found: list[Record] = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        row = cells(line)
        found.append(dict(zip(names, row + [""] * (len(names) - len(row)), strict=True)))
    return found


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def row_with(rows: Sequence[Record], wanted: Mapping[str, str]) -> Record:
    """The first row with these cells. Raises TableError."""
    for row in rows:
        if all(row[name] == cell for name, cell in wanted.items()):
            return row
    raise TableError(f"no row with {dict(wanted)}")


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
