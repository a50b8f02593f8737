"""What every test shares: where the real media lie, a small finished dataset, small settings for hypothesis."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from tests.cases import Case

if TYPE_CHECKING:
    from tests.runs import Built
    from tests.site import Site

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import_module("tests.typechecking")
install_import_hook(("manifests", "models", "pipeline"), "tests.typechecking.typechecked")

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="session")
def no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty folder of weights: what a developer has fetched decides no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSPEECH_WEIGHTS", str(tmp_path_factory.mktemp("weights")))
        yield


@pytest.fixture
def site() -> "Iterator[Site]":
    """A web server on loopback that says what a test tells it to."""
    from tests.site import Site  # the tests are not yet on the path when this file is read

    opened = Site()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media beside the project; the test is skipped where it is absent."""
    folder = Path(os.environ.get("COSPEECH_SHARED", ROOT.parent / "shared"))
    if not (folder / "media" / "labels.tsv").is_file():
        pytest.skip(
            "the real clips are not beside this project (COSPEECH_SHARED names their folder)"
        )
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Case"]:
    """A dataset that is built once, not to be changed. Its stages note their calls in one folder for all cases."""
    from tests.cases import Case
    from tests.faults.made import make_sources
    from tests.faults.orders import FOLDER

    folder = tmp_path_factory.mktemp("case") / "made"
    control = folder.with_name("control")
    for new in (folder, control):
        new.mkdir()
    make_sources(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(control))
        code, said = Case(folder).build()
        assert code == 0, said
        yield Case(folder)


@pytest.fixture
def case(finished: "Case", tmp_path: Path) -> "Case":
    """The same in a folder of its own, its files with new inodes as after a copy by hand; built once more there."""
    from tests.cases import Case

    folder = tmp_path / "made"
    shutil.copytree(finished.folder, folder, copy_function=shutil.copy2)
    assert Case(folder).build()[0] == 0
    return Case(folder)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built-in sample, made once in each process."""
    from pipeline.sample import make_sample

    return make_sample(tmp_path_factory.mktemp("sample")).parent


@pytest.fixture(scope="session")
def built(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> "Built":
    """The sample's dataset. It takes about a minute: tests that use it are in the xdist group `build`, one process.

    Only read it, or leave it as it was.
    """
    from tests.runs import build_sample

    return build_sample(sample, tmp_path_factory.mktemp("built"))
