"""Rows of two tables, paired by key columns and compared column by column, without making a Python object of a row.

Values are compared by 64-bit hashes: numbers exactly, text by BLAKE2 (two different texts agree once in 2^64). Of a set
of 150,000 clips and millions of decisions a column at a time fits into memory where the rows would not.
"""

# pyright: basic
# pyarrow has no types of its own.

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.audit.reading import Table

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
NULL = np.uint64(0x9E3779B97F4A7C15)
REPEATED = np.uint64(0xD1B54A32D192ED03)  # any odd number


@dataclass(frozen=True, slots=True)
class Pairs:
    """Places of rows in two tables: those of one key, side by side, and those whose key only one table has."""

    left: Places
    right: Places
    only_left: Places
    only_right: Places


def pair(left: Table, right: Table, key: Sequence[str]) -> Pairs:
    """Rows of two tables by key; the n-th row of a key on one side goes with the n-th on the other.

    Raises BrokenFile where a table lacks a column of the key or cannot be read.
    """
    one, other = (numbered(key_hashes(table, key)) for table in (left, right))
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    order = np.argsort(here)
    here, there = here[order], there[order]
    return Pairs(here, there, rest(len(one), here), rest(len(other), there))


def changed(left: Table, right: Table, pairs: Pairs, column: str) -> NDArray[np.bool_]:
    """For each pair of rows, whether the two differ in a column that both tables have."""
    one, other = (column_hashes(table.column(column)) for table in (left, right))
    return one[pairs.left] != other[pairs.right]


def rest(count: int, taken: Places) -> Places:
    """The places of `count` rows that are not taken."""
    left = np.ones(count, bool)
    left[taken] = False
    return np.flatnonzero(left)


def take(table: Table, column: str, places: Places) -> pa.Array:
    """A column's values at some rows."""
    taken = table.column(column).take(pa.array(places))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


# ---- hashes ----------------------------------------------------------------------------------------------------------


def key_hashes(table: Table, columns: Iterable[str]) -> Hashes:
    """One hash a row over some columns."""
    total = np.zeros(table.rows, np.uint64)
    for column in columns:
        total = mixed(total ^ column_hashes(table.column(column)))
    return total


def column_hashes(values: pa.ChunkedArray) -> Hashes:
    """One hash a value; equal for equal values of one type."""
    whole = values.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # of no chunks
        return np.zeros(0, np.uint64)
    kind = whole.type
    if pa.types.is_string(kind):
        return text_hashes(whole)
    numbers = pc.fill_null(whole.cast(pa.int64()) if pa.types.is_boolean(kind) else whole, 0)
    hashes = mixed(numbers.to_numpy(zero_copy_only=False).view(np.uint64))
    return np.where(whole.is_null().to_numpy(zero_copy_only=False), NULL, hashes)


def text_hashes(values: pa.Array) -> Hashes:
    """One hash a text, computed once for each that occurs."""
    coded = values.dictionary_encode()
    known = [
        hashlib.blake2b(text.encode(), digest_size=8).digest()
        for text in coded.dictionary.to_pylist()
    ]
    hashes = np.append(np.frombuffer(b"".join(known), np.uint64), NULL)
    places = pc.fill_null(coded.indices.cast(pa.int64()), len(known))
    return hashes[places.to_numpy(zero_copy_only=False)]


def mixed(values: Hashes) -> Hashes:
    """Spread the bits of 64-bit numbers; different numbers stay different.

    The finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
    """
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def numbered(hashes: Hashes) -> Hashes:
    """Hashes made different where they repeat: by how often each came before."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    counts = np.diff(np.append(first, len(ordered)))
    before = np.empty(len(ordered), np.uint64)
    before[order] = np.arange(len(ordered)) - np.repeat(first, counts)
    return np.where(before == 0, hashes, mixed(hashes + before * REPEATED))
