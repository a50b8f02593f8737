"""Columns of a Parquet file as numbers: texts by which of the different ones they are, and no object per row.

Read by their buffers: pyarrow's own ways into numpy, and its `read_table`, load all of pandas where that is installed,
which takes longer than everything here.
"""
# pyright: basic
# pyarrow has no types of its own.

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


def columns(file: Path, texts: Sequence[str], others: Sequence[str]) -> dict[str, pa.Array]:
    """Columns of a file, each in one piece; texts as numbers into a dictionary of the different ones."""
    with pq.ParquetFile(file, read_dictionary=list(texts)) as opened:
        table = opened.read(columns=[*texts, *others]).unify_dictionaries()
    return {name: table[name].combine_chunks() for name in table.column_names}


def numbers(column: pa.Array, kind: type[np.generic], *, absent: float | None = None) -> NDArray:
    """The numbers of a column; `absent` where it is empty. Raises ValueError for another kind, or an empty place."""
    if column.type != pa.from_numpy_dtype(kind):
        raise ValueError(f"a column holds {column.type}, {np.dtype(kind)} is needed")
    values = np.frombuffer(column.buffers()[1] or b"", kind)
    values = values[column.offset : column.offset + len(column)]
    if column.null_count == 0:
        return values
    if absent is None:
        raise ValueError(f"a column of numbers is empty in {column.null_count} rows")
    return np.where(empty(column), absent, values)


def empty(column: pa.Array) -> Bools:
    """Where a column is empty."""
    if column.null_count == 0:
        return np.zeros(len(column), bool)
    bits = np.frombuffer(column.buffers()[0] or b"", np.uint8)
    valid = np.unpackbits(bits, bitorder="little")
    return valid[column.offset : column.offset + len(column)] == 0


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of texts: the different ones, and which of them each row has; -1: none."""

    values: list[str]
    codes: Ints

    @classmethod
    def of(cls, column: pa.Array) -> "Texts":
        """Raises ValueError for a column of something else."""
        if not isinstance(column, pa.DictionaryArray):
            raise ValueError(f"a column holds {column.type}, text is needed")
        codes = numbers(column.indices, np.int32, absent=-1)
        return cls(column.dictionary.to_pylist(), codes)

    @property
    def rows(self) -> list[str]:
        """The text of each row. Raises IndexError where it has none and there is no text at all."""
        return [self.values[code] for code in self.codes]

    def numbered(self, given: Mapping[str, int], *, otherwise: int = -1) -> Ints:
        """For each row the number that is given for its text."""
        found = [given.get(value, otherwise) for value in self.values]
        return np.array([*found, otherwise], np.int32)[self.codes]

    def among(self, wanted: Collection[str]) -> Bools:
        """For each row whether its text is one of these."""
        return np.array([*(value in wanted for value in self.values), False])[self.codes]
