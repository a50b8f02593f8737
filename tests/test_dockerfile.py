"""The Dockerfile installs what pyproject.toml and constraints.txt say, for the CPU or for CUDA."""

import re
import tomllib

import pytest

from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def copied() -> set[str]:
    """What the image is made of."""
    return {
        name for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.M) for name in line.split()[:-1]
    }


def test_every_package_and_every_file_that_the_build_reads_is_copied() -> None:
    packages = {
        name.split(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    read = {
        "pyproject.toml",
        "constraints.txt",
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
    }
    assert {name.rstrip("*") for name in packages} | read <= copied()
    assert all((ROOT / name).exists() for name in copied())


def test_the_versions_are_those_of_the_constraints_and_the_extras_exist() -> None:
    [install] = re.findall(r"uv pip install [^&\n]+", DOCKERFILE)
    assert "--constraint constraints.txt" in install
    [extras] = re.findall(r"'\.\[([a-z,]+)\]'", install)
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert "train" in extras.split(",")


def test_python_is_one_that_the_project_takes() -> None:
    [version] = re.findall(r"^FROM python:(\d+\.\d+)", DOCKERFILE, re.M)
    [least] = re.findall(r">=(\d+\.\d+)", PROJECT["project"]["requires-python"])
    assert tuple(map(int, version.split("."))) >= tuple(map(int, least.split(".")))


@pytest.mark.parametrize("text", ["ARG TORCH=cpu", "https://download.pytorch.org/whl/${TORCH}"])
def test_pytorch_comes_for_the_cpu_unless_a_build_argument_asks_for_cuda(text: str) -> None:
    assert text in DOCKERFILE
    assert DOCKERFILE.index("FROM") < DOCKERFILE.index("ARG TORCH")  # else no layer sees it
