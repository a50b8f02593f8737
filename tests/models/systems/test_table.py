"""A folder under `models/systems` is a system: it stands in the table, in the README and under the import contract."""

import tomllib

from models.systems import SYSTEMS, system_of
from models.systems.base import System
from tests.conftest import ROOT

FOLDERS = {file.parent.name for file in (ROOT / "models/systems").glob("*/__init__.py")}


def folder_of(name: str) -> str:
    """A name with a hyphen is that of a backend; Python's folders have none."""
    return name.replace("-", "_")


def test_every_folder_is_a_row_of_the_table() -> None:
    own = {name for name, row in SYSTEMS.items() if row.place.startswith("models.systems.")}
    assert {folder_of(name) for name in own} == FOLDERS
    for name in own:
        assert SYSTEMS[name].place.startswith(f"models.systems.{folder_of(name)}.")
        assert isinstance(system_of(name), System)


def test_every_folder_is_under_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (apart,) = [
        contract["modules"]
        for contract in contracts["contracts"]
        if contract["name"] == "systems do not import each other"
    ]
    assert set(apart) == {f"models.systems.{name}" for name in FOLDERS}


def test_every_folder_has_a_line_in_the_readme() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    own = [name for name, row in SYSTEMS.items() if row.place.startswith("models.systems.")]
    for name in own:
        start = f"| [`{name}`](models/systems/{folder_of(name)})"
        assert any(line.startswith(start) for line in lines), name
