"""The formats of source lists: each reader turns a stream of bytes into rows, with the place where each row stands."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO

import pyarrow.parquet as pq
import yaml

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "locator": ("locator", "url", "path", "file"),
    "id": ("id", "vid", "video_id", "youtube_id"),  # a bare YouTube id is one only here
    "speaker": ("speaker", "speaker_id"),
    "speech_type": ("speech_type", "type"),
    "licence": ("licence", "license"),
    "title": ("title",),
    "language": ("language", "lang"),
}
NAMES = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
FACTS = tuple(name for name in COLUMNS if name not in ("locator", "id"))

BATCH_ROWS = 4096

Row = tuple[str, Mapping[str, object]]  # where it stands, such as "line 3", and its cells


class RowError(ValueError):
    """A bad row, said without the name of its list."""


def text_stream(stream: IO[bytes]) -> io.TextIOWrapper:
    """UTF-8 with or without a mark; bytes that are not UTF-8 stay visible, so that their line can be named."""
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def csv_rows(stream: IO[bytes], delimiter: str = ",") -> Iterator[Row]:
    """The lines of a table, by the names of its header."""
    with text_stream(stream) as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            check_header(header)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield csv_row(header, cells, f"line {reader.line_num}")
        except csv.Error as error:
            raise RowError(f"line {reader.line_num}: {error}") from error


def csv_row(header: list[str], cells: list[str], place: str) -> Row:
    """One line of a table; a line may end early, not late."""
    if len(cells) > len(header):
        raise RowError(f"{place}: the header has {len(header)} columns, got {len(cells)} cells")
    return place, dict(zip(header, cells, strict=False))


def check_header(header: list[str]) -> None:
    """A header has one column of locators at least, and no column twice."""
    names = [column.strip().lower() for column in header]
    if not any(NAMES.get(name) in ("locator", "id") for name in names):
        allowed = ", ".join((*COLUMNS["locator"], *COLUMNS["id"]))
        raise RowError(f"line 1: no column of locators in the header {header}; allowed: {allowed}")
    if twice := [name for name, times in Counter(names).items() if times > 1 and name]:
        raise RowError(f"line 1: a column stands once in the header, got {twice[0]!r} twice")


def tsv_rows(stream: IO[bytes]) -> Iterator[Row]:
    """A table whose cells are parted by tabs."""
    return csv_rows(stream, delimiter="\t")


def txt_rows(stream: IO[bytes]) -> Iterator[Row]:
    """One locator per line."""
    with text_stream(stream) as text:
        for number, line in enumerate(text, start=1):
            if (locator := line.strip()) and not locator.startswith("#"):
                yield f"line {number}", {"locator": locator}


def jsonl_rows(stream: IO[bytes]) -> Iterator[Row]:
    """One object or locator per line."""
    with text_stream(stream) as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                yield (
                    f"line {number}",
                    cells_of(parsed_json(line, f"line {number}: "), f"line {number}"),
                )


def json_rows(stream: IO[bytes]) -> Iterator[Row]:
    """A list of objects or locators, read whole."""
    with text_stream(stream) as text:
        held = parsed_json(text.read(), "")
    held = held.get("sources") if isinstance(held, dict) else held
    if not isinstance(held, list):
        kind = type(held).__name__
        raise RowError(f"row 1: a list of sources, or one under 'sources', got {kind}")
    for number, item in enumerate(held, start=1):
        yield f"row {number}", cells_of(item, f"row {number}")


def parsed_json(text: str, place: str) -> object:
    """JSON from outside."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(f"{place}not JSON: {error}") from error


def cells_of(item: object, place: str) -> Mapping[str, object]:
    """A row of JSON: an object, or a locator by itself."""
    if isinstance(item, str):
        return {"locator": item}
    if isinstance(item, dict):
        return item
    raise RowError(f"{place}: a row is an object or a locator, got {item!r}")


def yaml_rows(stream: IO[bytes]) -> Iterator[Row]:
    """Rows by their nodes: scalars stay as they were typed, so an id of digits is not turned into a number."""
    try:
        with text_stream(stream) as text:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise RowError(f"not YAML: {' '.join(str(error).split())}") from error
    if isinstance(node, yaml.MappingNode):
        node = next((value for key, value in node.value if key.value == "sources"), None)
    if node is None or not isinstance(node, yaml.SequenceNode):
        raise RowError("line 1: a list of sources, or one under 'sources', got something else")
    for item in node.value:
        place = f"line {item.start_mark.line + 1}"
        yield place, cells_of(yaml_cells(item), place)


def yaml_cells(node: yaml.Node) -> object:
    """A scalar as text, a mapping of scalars as a dict; deeper values as their kind, to be refused by name."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    if isinstance(node, yaml.MappingNode):
        pairs = ((key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode))
        return {
            key.value: yaml_cells(value)
            if isinstance(value, yaml.ScalarNode)
            else [type(value).__name__]
            for key, value in pairs
        }
    return [type(node).__name__]


def parquet_rows(stream: IO[bytes]) -> Iterator[Row]:
    """The rows of a Parquet file, in batches; columns that are not known are not read."""
    table = pq.ParquetFile(stream)
    names = list(table.schema_arrow.names)
    try:
        check_header(names)
    except RowError as error:
        raise RowError(str(error).replace("line 1", "schema")) from error
    wanted = [name for name in names if name.strip().lower() in NAMES]
    unread = {name: None for name in names if name not in wanted}
    number = 0
    for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
        for cells in batch.to_pylist():
            number += 1
            yield f"row {number}", {**cells, **unread}


READERS = {
    ".csv": csv_rows,
    ".tsv": tsv_rows,
    ".txt": txt_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".json": json_rows,
    ".yaml": yaml_rows,
    ".yml": yaml_rows,
    ".parquet": parquet_rows,
}
