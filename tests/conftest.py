"""What every test shares: where the real media lie, and small settings for hypothesis."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media beside the project; the test is skipped where it is absent."""
    folder = Path(os.environ.get("COSPEECH_SHARED", ROOT.parent / "shared"))
    if not (folder / "media" / "labels.tsv").is_file():
        pytest.skip(
            "the real clips are not beside this project (COSPEECH_SHARED names their folder)"
        )
    return folder
