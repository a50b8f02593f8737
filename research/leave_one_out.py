"""Do the lips of a small model follow the right voice? Real clips, one speaker left out at a time, on a CPU.

    python -m research.leave_one_out DATASET LABELS [--development] [--set KEY=VALUE …] [--jobs 2]

DATASET: built from the clips that LABELS (`labels.tsv`: file, expect) names. People whose clip is labelled `keep` are
left out one at a time and measured; those labelled `any` are only ever trained on. With --development it is the other
way round: the `any` people are left out, to choose a recipe without looking at the people that are reported.

Lips are compared by the correlation of lip opening with the true one of the same clip, for motion made from the clip's
own voice and from another clip's. A motion that does not move counts as 0. The interval is over speakers.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from models.data.features import Features
from models.data.index import Entry, Motions
from models.data.skeleton import Skeleton
from models.systems.csg405.configs import Config, Noise, Size
from models.training.settings import Training, overridden

WINDOW = 100
"""Frames; short windows, since there are two minutes of motion in all."""
SAMPLES = 4
"""Motions drawn for each voice."""


def recipe() -> Config:
    """The model that is trained for each speaker left out. Chosen with --development."""
    return Config(
        size=Size(96, 3, 4, 384),
        frames=WINDOW,
        noise=Noise(mouth_weight=4.0),
        training=Training(
            steps=600, batch_size=12, learning_rate=1e-3, warmup=100, weight_decay=0.05, ema_decay=0.995, seed=0,
            threads=1, save=600, validate=600, previews=0, log=500, tracker="none",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fold:
    """One speaker: (lips to truth with the right voice, with a wrong one) for each system, means over their clips."""

    person: str
    clips: int
    seconds: float
    scores: dict[str, tuple[float, float]]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, help="only so many people")
    given = parser.parse_args()
    config = overridden(recipe(), given.settings)
    people = held_people(
        Motions.open(given.dataset), given.labels, "any" if given.development else "keep"
    )
    began = time.perf_counter()
    with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
        folds: list[Fold] = []
        for done in pool.map(partial(fold, given.dataset, config), people[: given.first]):
            folds.append(done)
            text = ", ".join(
                f"{n} {right:.2f} ({wrong:.2f})" for n, (right, wrong) in done.scores.items()
            )
            print(
                f"{done.person[:14]} left out, {done.seconds:.0f} s: {text}",
                file=sys.stderr,
                flush=True,
            )
    print(table(folds, time.perf_counter() - began))


def held_people(motions: Motions, labels: Path, wanted: str) -> list[str]:
    """Identities all of whose clips come from sources with this label."""
    with labels.open() as stream:
        expected = {
            Path(row["file"]).name: row["expect"].split(":")[0]
            for row in csv.DictReader(stream, delimiter="\t")
        }

    def label(entry: Entry) -> str:
        return expected.get(Path(entry.locator).name, "")

    people = {entry.identity for entry in motions.entries if label(entry) == wanted}
    return sorted(people - {entry.identity for entry in motions.entries if label(entry) != wanted})


@dataclass(frozen=True, slots=True)
class Held:
    """A clip with the features of its voice; a fold has few."""

    pose: np.ndarray
    sound: np.ndarray
    features: np.ndarray

    @property
    def reference(self) -> np.ndarray:
        return self.pose[0]


def held_clips(motions: Motions, voices: Features) -> list[Held]:
    """All clips of an index."""
    return [
        Held(motions.pose(number), motions.sound(number), voices.rows(entry))
        for number, entry in enumerate(motions.entries)
    ]


Maker = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def baselines(training: Motions, skeleton: Skeleton, voices: Features) -> dict[str, Maker]:
    """Of the training clips alone, by name."""
    from models.data.features import pose_features, prepare
    from models.data.statistics import statistics_of
    from models.evaluation.baselines import fitted

    poses = prepare(training, pose_features(skeleton))
    made = fitted(training, skeleton, statistics_of(training, poses), voices, poses)
    return {
        name: lambda audio_features, sound, reference, seed, baseline=baseline: baseline(
            audio_features, sound, reference
        )
        for name, baseline in made.baselines.items()
    }


def fold(dataset: Path, config: Config, person: str) -> Fold:
    """Train without one speaker and measure on them."""
    from rich.console import Console

    from models.data.dataset import Dataset
    from models.diffusion.sampling import Sampling
    from models.evaluation.metrics.lips import agreement, lip_opening
    from models.systems.csg405.generator import SkeletonGenerator
    from models.systems.csg405.system import SYSTEM
    from models.systems.csg405.training import MotionPhase
    from models.systems.run import train_phases

    began = time.perf_counter()
    opened = Dataset.open(dataset, without=(person,))
    with tempfile.TemporaryDirectory() as folder, Path("/dev/null").open("w") as nowhere:
        run, console = Path(folder) / "run", Console(file=nowhere)
        trained = SkeletonGenerator.load(
            train_phases("csg405", SYSTEM, config, opened, run, console=console)
        )
    phase = MotionPhase.of(config, opened)
    clips = held_clips(opened.validation, phase.audio_features)
    others = held_clips(opened.training, phase.audio_features)
    generators = baselines(opened.training, config.skeleton, phase.audio_features)
    for scale in (1.0, 2.0):
        how = Sampling(scale=scale)
        generators[f"model, guidance {scale:g}"] = (
            lambda audio_features, _s, reference, seed, how=how: trained.pose(
                audio_features, reference, seed=seed, how=how
            )
        )
    scores: dict[str, tuple[float, float]] = {}
    for name, generator in generators.items():
        count = SAMPLES if name.startswith("model") else 1
        own: list[list[float]] = [[], []]
        averaged: list[list[float]] = [[], []]
        for number, clip in enumerate(clips):
            wrong = others[(7 * number + 3) % len(others)]
            truth = lip_opening(clip.pose)
            for place, voice in enumerate((clip, wrong)):
                frames = min(len(clip.features), len(voice.features))
                lips = [
                    lip_opening(
                        generator(
                            voice.features[:frames],
                            voice.sound[: 640 * frames],
                            clip.reference,
                            seed,
                        )
                    )
                    for seed in range(count)
                ]
                own[place] += [agreement(each, truth[:frames], reach=0).now or 0.0 for each in lips]
                averaged[place].append(
                    agreement(np.mean(lips, axis=0), truth[:frames], reach=0).now or 0.0
                )
        scores[name] = (float(np.mean(own[0])), float(np.mean(own[1])))
        if count > 1:
            scores[f"{name}, mean of {count}"] = (
                float(np.mean(averaged[0])),
                float(np.mean(averaged[1])),
            )
    return Fold(person, len(clips), time.perf_counter() - began, scores)


def table(folds: list[Fold], seconds: float) -> str:
    """One line per system: matched and mismatched audio, their difference, what is above the loudness baseline."""
    from pipeline.perception.resampling import bootstrap

    lines = [
        f"{len(folds)} speakers left out one at a time, {sum(f.clips for f in folds)} clips, {seconds:.0f} s in all",
        "",
        "| system | matched audio | mismatched audio | matched minus mismatched | matched less loudness baseline |",
        "|---|---|---|---|---|",
    ]
    for name in folds[0].scores:
        right, wrong = (np.array([f.scores[name][place] for f in folds]) for place in (0, 1))
        loud = np.array([f.scores["loudness baseline"][0] for f in folds])
        cells = []
        for values in (right, wrong, right - wrong, right - loud):
            interval = bootstrap(values, seed=0)
            cells.append(f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| speaker | clips | s | " + " | ".join(folds[0].scores) + " |"]
    lines += ["|---|---|---|" + "---|" * len(folds[0].scores)]
    for each in folds:
        cells = [f"{right:.2f}" for right, _ in each.scores.values()]
        lines.append(
            f"| {each.person[:14]} | {each.clips} | {each.seconds:.0f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
