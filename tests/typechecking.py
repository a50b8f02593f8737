"""How annotations are checked while tests run: shapes and dtypes by jaxtyping, all else by beartype."""

import io
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, TypeVar

from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import config
from pydantic import JsonValue

from manifests.shards import Json

Checked = TypeVar("Checked", bound=Callable[..., object])
CONF = BeartypeConf(
    is_pep484_tower=True,  # an int is a float, as everywhere in Python
    hint_overrides=FrozenDict({
        IO[bytes]: io.IOBase | IO[bytes],  # beartype recognises no BytesIO, gzip or fsspec file
        Json: object,  # recursive
        JsonValue: object,  # recursive
    }),
)  # fmt: skip


def typechecked(function: Checked) -> Checked:
    """The function, checked at every call."""
    return beartype(conf=CONF)(function)


@contextmanager
def unchecked() -> Generator[None]:
    """No checks while the block runs: for a test that measures time, of which they would take most."""
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", before)
