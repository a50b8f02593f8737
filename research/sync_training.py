"""What a trained syncnet or light-asd is worth: on the clips it was trained on, and on people it has never seen.

    python -m research.sync_training RUN DATASET --trained-on DATASET [--weights FILE]

The first dataset is measured: its clips that are in the other one's training split, and those of people who are not in
it. Both datasets come from one work folder, so that a person has one name. --weights: a file in the published layout
instead of the run's own weights. Prints a Markdown table.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from models.data.dataset import Dataset
from models.data.index import Motions
from models.evaluation.matching import CHANCE, MEANING, intervals
from models.systems import system_of
from models.systems.folder import model_folder
from models.systems.lips import NAME, NETWORK, LipPhase
from models.systems.run import prepare_families
from models.training.settings import parsed


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--trained-on", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    whole, trained = Motions.open(given.dataset), Motions.open(given.trained_on, "train")
    seen, people = {entry.id for entry in trained.entries}, trained.identities
    parts = {
        "trained on": whole.where(lambda entry: entry.id in seen),
        "unseen people": whole.where(lambda entry: entry.identity not in people),
    }
    print("| clips | figure | value | 95 % over people | chance |\n|---|---|---:|---:|---:|")
    for name, motions in parts.items():
        if len(motions):
            table(name, given.run, Dataset.open(given.dataset), motions, given.weights)


def table(name: str, run: Path, dataset: Dataset, motions: Motions, weights: Path | None) -> None:
    """One line for each figure of these clips. weights: instead of the run's own."""
    phase = phase_of(run, replace(dataset, validation=motions))
    network = phase.networks()[NETWORK]
    network.load_state_dict(phase.pretrained(weights or run)[NETWORK])
    network.eval().requires_grad_(False)
    clips = phase.validated
    with torch.inference_mode():
        found = [phase.matched(network, entry).figures() for entry in clips]
    people = [entry.identity for entry in clips]
    for figure, each in intervals(found, people, seed=0).items():
        print(
            f"| {name}: {len(clips)} of {len(set(people))} people | {MEANING[figure]} | {each.mean:.3f} | "
            f"{each.low:.3f} to {each.high:.3f} | {CHANCE[figure]:.3f} |",
            flush=True,
        )


def phase_of(run: Path, dataset: Dataset) -> LipPhase:
    """The phase of a run on a dataset, its families computed where they are not there."""
    stated = model_folder(run).stated
    system = system_of(str(stated["system"]))
    config = parsed(type(next(iter(system.configs.values()))()), stated["config"])
    config = replace(config, training=replace(config.training, validation_clips=10_000))
    prepare_families(system, config, dataset, None, device="cpu")
    phase = system.phase(NAME, config, dataset, {}, "cpu")
    assert isinstance(phase, LipPhase)
    return phase


if __name__ == "__main__":
    main()
