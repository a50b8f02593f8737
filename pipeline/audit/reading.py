"""dataset.json and the tables of a dataset that may be damaged or hostile: what cannot be read is a BrokenFile."""

# pyright: basic
# pyarrow has no types of its own.

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, JsonValue, ValidationError

from manifests import tables
from manifests.checksums import first_error, read_manifest
from pipeline.audit.errors import LookError
from pipeline.audit.findings import BrokenFile

FACTS = "dataset.json"
TABLES = ("clips", "decisions", "sources")
KINDS = (pa.string(), pa.int64(), pa.float64(), pa.bool_())
ROWS_AT_ONCE = 1 << 14
MOST_ROWS_PER_BYTE = 64
"""A table that claims more rows in a byte of its file is not read: ours have about a fifth of one."""


class ShardFacts(BaseModel):
    """A shard as dataset.json lists it."""

    path: str
    bytes: int
    sha256: str
    content: str


class DatasetFacts(BaseModel):
    """What dataset.json says."""

    root: str
    shards: list[ShardFacts]
    name: str = ""
    settings: dict[str, JsonValue] = {}
    stages: dict[str, JsonValue] = {}
    rules: list[JsonValue] = []
    families: dict[str, JsonValue] = {}
    counts: dict[str, JsonValue] = {}


def need_dataset(dataset: Path) -> None:
    """Raises LookError where a folder holds nothing of a dataset."""
    files = (FACTS, *(f"{name}.parquet" for name in TABLES))
    if not any((dataset / file).is_file() for file in files):
        what = "has no dataset.json and no tables" if dataset.is_dir() else "is no folder"
        raise LookError(f"{dataset} is no dataset: it {what}")


def read_facts(dataset: Path) -> DatasetFacts:
    """dataset.json. Raises BrokenFile."""
    try:
        return DatasetFacts.model_validate_json(read_manifest(dataset / FACTS))
    except FileNotFoundError as error:
        raise BrokenFile(FACTS, "is missing") from error
    except ValidationError as error:
        raise BrokenFile(FACTS, f"cannot be read: {first_error(error)}") from error
    except OSError as error:
        raise BrokenFile(FACTS, f"cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a dataset, read by columns and in batches."""

    name: str
    file: pq.ParquetFile

    @property
    def rows(self) -> int:
        return self.file.metadata.num_rows

    @property
    def columns(self) -> list[str]:
        return self.file.schema_arrow.names

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows. Raises BrokenFile."""
        with reading(self.name):
            yield from self.file.iter_batches(ROWS_AT_ONCE, columns=columns)

    def each(self, columns: Sequence[str] | None = None) -> Iterator[tables.Row]:
        """Rows one by one. Raises BrokenFile."""
        with reading(self.name):
            for batch in self.batches(columns):
                yield from batch.to_pylist()

    def column(self, name: str) -> pa.ChunkedArray:
        """One column whole. Raises BrokenFile."""
        with reading(self.name):
            return self.file.read(columns=[name]).column(0)

    def rows_hash(self) -> str:
        """SHA-256 of the canonical rows. Raises BrokenFile.

        decisions.parquet is written in canonical order, so that its rows, far the most of all, are hashed without being
        held; where rows lie in another order they are sorted in memory.
        """
        digest, before = hashlib.sha256(), ""
        for number, line in enumerate(map(tables.canonical_line, self.each())):
            if line < before:
                return tables.rows_hash(self.each())
            digest.update(("\n" * (number > 0) + line).encode())
            before = line
        return digest.hexdigest()


def open_table(dataset: Path, name: str, needed: pa.Schema) -> Table:
    """A table that has at least the needed columns, of the needed types. Raises BrokenFile."""
    path = f"{name}.parquet"
    with reading(path):
        file = pq.ParquetFile(dataset / path)
    rows, size = file.metadata.num_rows, (dataset / path).stat().st_size
    if not 0 <= rows <= MOST_ROWS_PER_BYTE * size:
        raise BrokenFile(path, f"claims {rows} rows in {size} bytes")
    found = {field.name: field.type for field in file.schema_arrow}
    for field in needed:
        if found.get(field.name) != field.type:
            there = found.get(field.name, "missing")
            raise BrokenFile(path, f"column {field.name} is {there}, needed {field.type}")
    if strange := [column for column, kind in found.items() if kind not in KINDS]:
        raise BrokenFile(path, f"column {strange[0]} is {found[strange[0]]}, which no table has")
    return Table(path, file)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """What a broken table raises as one BrokenFile."""
    try:
        yield
    except BrokenFile:
        raise
    except FileNotFoundError as error:
        raise BrokenFile(path, "is missing") from error
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise BrokenFile(path, f"cannot be read: {words[:200]}") from error
