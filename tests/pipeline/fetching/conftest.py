"""Real servers on loopback, and small real videos."""

from pathlib import Path

import pytest

from pipeline.fetching import FetchSettings
from tests.video import make_video


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "clip.mp4")


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "other.mp4", seed=1)


@pytest.fixture
def settings() -> FetchSettings:
    return FetchSettings(backoff=0.01, timeout=5.0, retries=2, proxy="")
