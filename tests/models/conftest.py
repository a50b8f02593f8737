"""What the tests of the model half share: one small dataset, made once."""

from pathlib import Path

import pytest

from tests.models.making import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips of four splits and shards, five people. Only read it: features go elsewhere."""
    return write_dataset(tmp_path_factory.mktemp("made") / "dataset")
