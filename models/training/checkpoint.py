"""All that a step leaves behind, committed whole or not at all: a folder per step, renamed into place."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from manifests.errors import UserError
from manifests.files import replacing_folder

NAME = re.compile(r"step-(\d{8})")


class CheckpointError(UserError):
    """A checkpoint that cannot be written or read back."""


def save(
    folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], optimizer: Mapping[str, Any],
    facts: Mapping[str, object], *, keep: int, milestones: int = 0,
) -> Path:  # fmt: skip
    """Write `folder/step-…` and remove all but the newest `keep` and those of every `milestones` steps (0: of none).

    tensors: a file for each group, by name. Raises CheckpointError; the checkpoints before it stay.
    """
    place = folder / f"step-{step:08d}"
    for left in folder.glob(".step-*"):
        shutil.rmtree(left)
    try:
        with replacing_folder(place) as temporary:
            for name, group in tensors.items():
                content = {key: value.detach().cpu().contiguous() for key, value in group.items()}
                save_file(content, temporary / f"{name}.safetensors")
            torch.save(dict(optimizer), temporary / "optimizer.pt")
            (temporary / "facts.json").write_text(json.dumps({"step": step, **facts}) + "\n")
    except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError: of torch.save
        raise CheckpointError(f"{place} cannot be written: {error}") from error
    for old in steps(folder)[:-keep]:
        if milestones and old % milestones == 0:
            continue
        # renamed first, so that a removal that is cut short leaves no half checkpoint under a real name
        gone = folder / f".step-{old:08d}.gone"
        (folder / f"step-{old:08d}").rename(gone)
        shutil.rmtree(gone)
    return place


def steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint, ascending."""
    found = (NAME.fullmatch(each.name) for each in folder.glob("step-*"))
    return sorted(int(match[1]) for match in found if match)


def load(place: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, Any]]:
    """(tensors, optimizer, facts) of one checkpoint; no code in it is run. Raises CheckpointError."""
    try:
        tensors = {file.stem: load_file(file) for file in sorted(place.glob("*.safetensors"))}
        optimizer = torch.load(place / "optimizer.pt", weights_only=True, map_location="cpu")
        facts = json.loads((place / "facts.json").read_text())
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{place} cannot be read: {error}") from error
    return tensors, optimizer, facts
