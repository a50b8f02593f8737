"""The formats of source lists: each reader turns a stream of bytes into rows, with the place where each row stands."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

import yaml

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "locator": ("locator", "url", "path", "file"),
    "id": ("id", "vid", "video_id", "youtube_id"),  # a bare YouTube id is one only here
    "speaker": ("speaker", "speaker_id"),
    "speech_type": ("speech_type", "type"),
    "licence": ("licence", "license"),
    "title": ("title",),
    "language": ("language", "lang"),
    "synthetic": ("synthetic",),
}
NAMES = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
FACTS = tuple(name for name in COLUMNS if name not in ("locator", "id"))

BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands, such as `line 3`, its cells by column, and why it cannot be read, if it cannot."""

    place: str
    cells: Mapping[str, object]
    fault: str = ""


class FormatError(ValueError):
    """A list that cannot be read as what its name says; without the name of the list."""


def text_stream(stream: IO[bytes]) -> io.TextIOWrapper:
    """UTF-8 with or without a mark; bytes that are not UTF-8 stay visible, so that their line can be named."""
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def csv_rows(stream: IO[bytes], delimiter: str = ",") -> Iterator[Row]:
    """The lines of a table, by the names of its header; a line may end early, not late."""
    with text_stream(stream) as text:
        lines = csv_lines(text, delimiter)
        _, header, fault = next(lines, ("", [], ""))
        if fault:
            raise FormatError(f"line 1: {fault}")
        check_header(header)
        for place, cells, fault in lines:
            if len(cells) > len(header):
                fault = f"the header has {len(header)} columns, got {len(cells)} cells"
            if fault or any(cell.strip() for cell in cells):
                yield Row(place, dict(zip(header, cells, strict=False)), fault)


def csv_lines(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[str, list[str], str]]:
    """Each line's place, cells, and fault.

    A fault over several lines, such as a quotation mark that nothing closes, may have taken whole rows with it: it is
    one of the list. Raises FormatError.
    """
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > first or "unexpected end" in str(error):
                raise FormatError(f"line {first}: {error}") from error
            yield f"line {first}", [], str(error)
        else:
            yield f"line {reader.line_num}", cells, ""


def check_header(header: list[str], place: str = "line 1") -> None:
    """A header has one column of locators at least, and no column twice."""
    names = [column.strip().lower() for column in header]
    if not any(NAMES.get(name) in ("locator", "id") for name in names):
        allowed = ", ".join((*COLUMNS["locator"], *COLUMNS["id"]))
        raise FormatError(
            f"{place}: no column of locators in the header {header}; allowed: {allowed}"
        )
    if twice := [name for name, times in Counter(names).items() if times > 1 and name]:
        raise FormatError(f"{place}: a column stands once in the header, got {twice[0]!r} twice")


def tsv_rows(stream: IO[bytes]) -> Iterator[Row]:
    """A table whose cells are parted by tabs."""
    return csv_rows(stream, delimiter="\t")


def txt_rows(stream: IO[bytes]) -> Iterator[Row]:
    """One locator per line."""
    with text_stream(stream) as text:
        for number, line in enumerate(text, start=1):
            if (locator := line.strip()) and not locator.startswith("#"):
                yield Row(f"line {number}", {"locator": locator})


def jsonl_rows(stream: IO[bytes]) -> Iterator[Row]:
    """One object or locator per line."""
    with text_stream(stream) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                yield row_of(parsed_json(line), f"line {number}")
            except FormatError as error:
                yield Row(f"line {number}", {"": line}, str(error))


def json_rows(stream: IO[bytes]) -> Iterator[Row]:
    """A list of objects or locators, read whole."""
    with text_stream(stream) as text:
        content = parsed_json(text.read())
    content = content.get("sources") if isinstance(content, dict) else content
    if not isinstance(content, list):
        kind = type(content).__name__
        raise FormatError(f"row 1: a list of sources, or one under 'sources', got {kind}")
    for number, item in enumerate(content, start=1):
        yield row_of(item, f"row {number}")


def parsed_json(text: str) -> object:
    """JSON from outside."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}") from error


def row_of(item: object, place: str) -> Row:
    """A row of JSON or YAML: an object, or a locator by itself."""
    if isinstance(item, str):
        return Row(place, {"locator": item})
    if isinstance(item, dict):
        return Row(place, {str(column): cell for column, cell in item.items()})
    return Row(place, {"": repr(item)}, f"a row is an object or a locator, got {item!r}")


def yaml_rows(stream: IO[bytes]) -> Iterator[Row]:
    """Rows by their nodes: scalars stay as they were typed, so an id of digits is not turned into a number."""
    try:
        with text_stream(stream) as text:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(f"not YAML: {' '.join(str(error).split())}") from error
    if isinstance(node, yaml.MappingNode):
        node = next((value for key, value in node.value if key.value == "sources"), None)
    if node is None or not isinstance(node, yaml.SequenceNode):
        raise FormatError("line 1: a list of sources, or one under 'sources', got something else")
    for item in node.value:
        yield row_of(yaml_cells(item), f"line {item.start_mark.line + 1}")


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
    import pyarrow as pa  # takes a while to load, for the one format that needs it
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(stream)
        names = list(table.schema_arrow.names)
        check_header(names, "schema")
        wanted = [name for name in names if name.strip().lower() in NAMES]
        unread = {name: None for name in names if name not in wanted}
        batches = table.iter_batches(batch_size=BATCH_ROWS, columns=wanted)
        rows = (cells for batch in batches for cells in batch.to_pylist())
        for number, cells in enumerate(rows, start=1):
            yield Row(f"row {number}", {**cells, **unread})
    except pa.ArrowException as error:
        raise FormatError(f"not Parquet: {error}") from error


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
