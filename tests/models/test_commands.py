"""The commands of `csg-model` that list the systems and prepare what training reads."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from manifests.errors import UserError
from models.__main__ import app
from models.systems import SYSTEMS
from tests.models.test_main import TINY


def run(*arguments: str | Path) -> str:
    """What is printed."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_the_systems_are_listed_and_of_one_every_setting(tmp_path: Path) -> None:
    brief = run("systems")
    for name, listing in SYSTEMS.items():
        assert f"{name}: {listing.does}" in brief and listing.paper in brief
        whole = run("systems", name)
        assert "settings of training" not in brief
        assert f"{name}: {listing.does}" in whole
        training, *making = (part.split("\n\n")[1] for part in whole.split("settings of ")[1:])
        assert "steps: " in training and yaml.safe_load(training)
        assert bool(making) == (name not in ("syncnet", "light-asd"))  # these generate nothing
        assert all("device" in yaml.safe_load(part) for part in making)
    with pytest.raises(UserError, match="emo3"):
        run("systems", "emo3")


def test_what_training_reads_is_prepared_once_for_every_family_and_shard(
    dataset: Path, tmp_path: Path
) -> None:
    features = tmp_path / "features"
    line = ["prepare", "csg405", "--data", dataset, "--features", features, *TINY]

    def stamps() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in features.rglob("*.tar")}

    said = run(*line)
    families = [text.removeprefix("prepared ") for text in said.splitlines()]
    assert [family.split("-")[0] for family in families] == ["skeleton", "logmel"]
    shards = [file.name for file in (dataset / "motion").glob("*.tar")]
    made = stamps()
    assert set(made) == {features / family / shard for family in families for shard in shards}
    assert run(*line) == said
    assert stamps() == made
