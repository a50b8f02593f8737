"""A system from end to end: its families computed, its phases trained one after the other."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console

from models.data.dataset import Dataset
from models.data.features import NotPrepared, OnProgress
from models.systems.base import System
from models.training import checkpoint
from models.training.settings import SettingsError
from models.training.trainer import digest_of, train

Naming = Callable[[str], OnProgress]
"""A progress callback for a family of this name."""


def silent(family: str) -> OnProgress:
    """No progress."""
    return lambda done, of: None


def rank_of() -> tuple[int, int, str]:
    """(rank, ranks, device) as torchrun, accelerate and SLURM state them; nothing is connected."""
    rank = int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")))
    ranks = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1")))
    local = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
    if not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU") == "true":
        return rank, ranks, "cpu"
    return rank, ranks, f"cuda:{local % torch.cuda.device_count()}"


def prepare_families(
    system: System, config: Any, dataset: Dataset, run: Path | None, *, device: str, workers: int = 0,
    part: tuple[int, int] = (0, 1), on_progress: Naming = silent,
) -> list[str]:  # fmt: skip
    """Compute the families of all phases, but those that need what an earlier one has not exported; their names.

    run: where exports lie. part: (which, of how many) of the shards. Raises DatasetError.
    """
    done: list[str] = []
    exports: dict[str, Path] = {}
    for number, name in enumerate(system.phases(config)):
        for recipe in system.recipes(name, config, exports, device):
            own = on_progress(recipe.family.name)
            dataset.compute(recipe, workers=workers, part=part, on_progress=own)
            done.append(recipe.family.name)
        if len(exports) == number:
            try:  # what a phase derives of its families, such as their statistics, is kept beside them
                system.phase(name, config, dataset, exports, device)
            except NotPrepared:
                if part[1] == 1:
                    raise
        if run is not None and (run / name / "model").is_dir():
            exports[name] = run / name / "model"
    return list(dict.fromkeys(done))


def train_phases(
    name: str, system: System, config: Any, dataset: Dataset, run: Path, *, console: Console,
    warm_start: Path | None = None, on_progress: Naming = silent,
) -> Path:  # fmt: skip
    """Train all phases, from where the run was left. Returns the folder of the model.

    Families that are not there are computed first where there is one process; several find them computed, or are told
    so: nobody waits for them. Raises NotPrepared, SettingsError, CheckpointError, Stopped.
    """
    refuse_older(run)
    _, ranks, device = rank_of()
    exports: dict[str, Path] = {}
    names = system.phases(config)
    starts = {each: start_of(warm_start, each, last=each == names[-1]) for each in names}
    if warm_start is not None and not any(starts.values()):
        raise SettingsError(f"{warm_start} holds no model or checkpoint of {' or '.join(names)}")
    for each in names:
        if ranks == 1:
            for recipe in system.recipes(each, config, exports, device):
                dataset.compute(recipe, on_progress=on_progress(recipe.family.name))
        phase = system.phase(each, config, dataset, exports, device)
        settings = {
            "system": name,
            "dataset": dataset.motions.root,
            "without": sorted(dataset.without),
            "after": {before: digest_of(folder) for before, folder in exports.items()},
        }
        model = run / "model" if each == names[-1] else run / each / "model"
        exports[each] = train(
            run / each, phase, settings, console=console, model=model, weights=starts[each]
        )
    PartialState().destroy_process_group()
    return exports[names[-1]]


def start_of(given: Path | None, phase: str, *, last: bool) -> Path | None:
    """What a phase's weights begin with in a run, a model or a checkpoint; None where it has nothing for it."""
    if given is None:
        return None
    if given.is_file():  # published weights, of systems whose export has their layout
        return given if last else None
    if checkpoint.NAME.fullmatch(given.name):
        return given if given.parent.parent.name == phase else None
    own = given / phase / "model"
    if own.is_dir():
        return own
    if not last:
        return None
    return next(
        (each for each in (given / "model", given) if (each / "system.json").is_file()), None
    )


def refuse_older(run: Path) -> None:
    """Raises SettingsError for a run that an earlier version began, whose phase had no folder of its own."""
    if (run / "checkpoints").is_dir() or (run / "settings.json").is_file():
        raise SettingsError(
            f"{run} was begun by an earlier version, whose runs had no phases: train into another folder, and name its "
            "model with --warm-start to begin with its weights"
        )
