"""The evaluation of trained models side by side: held-out clips, baselines of the training clips, a table, videos.

Clips go by one at a time and are thrown away; memory does not grow with their length, and by some kilobytes a clip.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from models.data.audio import LogMel
from models.data.features import Features, Recipe, audio_features, pose_features, prepare
from models.data.files import Folder
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.data.splits import usable
from models.data.statistics import statistics_of
from models.evaluation.baselines import FIT_CLIPS, Baseline, fitted
from models.evaluation.choice import evenly
from models.evaluation.clips import EvalClip, read_clip
from models.evaluation.gesture_encoder import motion_encoder
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.collection import NotMeasured, WindowSet
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.protocols import Made, Pairing, Scores
from models.evaluation.report import Row, as_json, interval_of, markdown, plot
from models.infer.generate import free_place
from models.infer.generator import Generator, Motion, Person
from models.infer.video import write_skeleton_video

PLOTTED = (
    ("lips_truth", "matched audio"),
    ("lips_truth", "matched minus mismatched"),
    ("mean_error", "paired"),
    ("speed", "paired"),
    ("fgd", "set"),
)
UNTRUE = ("unpaired", "mismatched audio", "matched minus mismatched", "matched audio")
"""Protocols in which the truth would be compared with itself."""
FRAMES_OF_TRUTH = ("psnr", "ssim")
"""Nor is its video compared with itself."""
VIDEOS = 2
"""Clips of which each generator's motion is drawn."""

Say = Callable[[str], None]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """clips: at most so many, chosen evenly over people; None: all. seed: of that choice, of motions, pairings and
    intervals. epochs, width: of the encoder under FGD; 0 epochs for none. samples: motions drawn for each voice, for
    the diversity of hands. fit_clips: training clips that baselines are fitted on. features: where the families of the
    dataset lie; None: beside the shards.
    """

    clips: int | None = None
    seed: int = 0
    epochs: int = 100
    width: int = 256
    samples: int = 3
    fit_clips: int = FIT_CLIPS
    features: Path | str | None = None


@dataclass(frozen=True, slots=True)
class Entrant:
    """One column of the table: a generator or a baseline, and the family of audio features it takes."""

    voices: Features
    deterministic: bool
    generate: Callable[[np.ndarray, Int16[np.ndarray, " _samples"], Person, int], Motion]

    @classmethod
    def trained(cls, generator: Generator, voices: Features) -> "Entrant":
        return cls(
            voices,
            False,
            lambda features, sound, person, seed: generator.generate(features, person, seed=seed),
        )

    @classmethod
    def baseline(cls, baseline: Baseline, voices: Features) -> "Entrant":
        return cls(
            voices,
            baseline.deterministic,
            lambda features, sound, person, seed: Motion(baseline(features, sound, person.pose)),
        )


def evaluate(
    out: Path, generators: Mapping[str, Generator], training: Motions, clips: Motions, *,
    settings: Settings | None = None, facts: Mapping[str, object] | None = None,
    on_progress: OnProgress = lambda done, of: None, say: Say = lambda text: None,
) -> list[Row]:  # fmt: skip
    """Measure generators by name on held-out clips, beside the truth and the baselines.

    Writes metrics.md, metrics.json, metrics.png and videos of the first clips into `out`. training: the clips that the
    generators were trained on, of which the baselines are made. facts: what the table is to say besides. on_progress:
    clips done, of how many. Baselines take the first generator's audio features. Raises UserError.
    """
    settings = settings or Settings()
    numbers = evenly(clips.entries, settings.clips, seed=settings.seed)
    chosen = Motions(clips.folder, [clips.entries[number] for number in numbers], clips.files)
    families = Families(settings.features)
    recipes = {name: generator.audio_recipe for name, generator in generators.items()}
    first = next(iter(recipes.values()), audio_features(LogMel()))
    entrants = {
        name: Entrant.trained(generator, families.of(chosen, recipes[name]))
        for name, generator in generators.items()
    }
    say(f"fitting baselines on at most {settings.fit_clips} of {len(training)} training clips")
    baselines, fit_facts = _baselines(training, families, first, settings)
    voices = families.of(chosen, first)
    entrants |= {name: Entrant.baseline(each, voices) for name, each in baselines.items()}
    features = Folder.of(settings.features or training.folder / "features")
    folder = features.local or out.resolve().with_name(f"{out.name}.encoders")
    encoder = motion_encoder(
        usable(training), chosen, folder, epochs=settings.epochs, width=settings.width
    )
    if isinstance(encoder, NotMeasured):
        say(f"FGD is not measured: {encoder.reason}")
    say(f"{len(entrants)} generators on {len(chosen)} of {len(clips)} clips")
    rows = measured(
        chosen, entrants, encoder=encoder, settings=settings, on_progress=on_progress,
        on_made=Skeletons(out, VIDEOS).write,
    )  # fmt: skip
    people = len({entry.identity for entry in chosen.entries})
    whole = {
        "clips": len(chosen) if len(chosen) == len(clips)
        else f"{len(chosen)} of {len(clips)}, chosen evenly over people by seed {settings.seed}",
        "people": people,
        **(facts or {}),
        "FGD encoder": "none" if isinstance(encoder, NotMeasured) else encoder.fingerprint(),
        **fit_facts,
        "interval": interval_of(people, len(chosen)),
    }  # fmt: skip
    write(out, rows, whole)
    return rows


def _baselines(
    training: Motions, families: "Families", voices: Recipe, settings: Settings
) -> tuple[Mapping[str, Baseline], Mapping[str, str]]:
    skeleton = Skeleton()
    poses = families.of(training, pose_features(skeleton))
    found = fitted(
        training, skeleton, statistics_of(training, poses), families.of(training, voices), poses,
        at_most=settings.fit_clips,
    )  # fmt: skip
    return found.baselines, found.facts


class Families:
    """Families of features, each prepared once for each dataset. root: where they lie; None: beside the shards."""

    def __init__(self, root: Path | str | None) -> None:
        self._root = root
        self._held: dict[tuple[Folder, str], Features] = {}

    def of(self, motions: Motions, recipe: Recipe) -> Features:
        """A family of a dataset. Raises DatasetError."""
        key = (motions.folder, recipe.family.name)
        if key not in self._held:
            self._held[key] = prepare(motions, recipe, self._root)
        return self._held[key]


def measured(
    clips: Motions, entrants: Mapping[str, Entrant], *, encoder: MotionEncoder | NotMeasured, settings: Settings,
    on_progress: OnProgress = lambda done, of: None,
    on_made: Callable[[int, str, EvalClip, Motion], None] = lambda number, name, clip, made: None,
) -> list[Row]:  # fmt: skip
    """The rows of the truth and of every entrant. on_made: called with what was made of a clip's voice."""
    people = np.unique([entry.identity for entry in clips.entries], return_inverse=True)[1]
    truth = WindowSet(encoder)
    columns = {
        name: Scores(name, people, truth, encoder, settings.seed) for name in ("truth", *entrants)
    }
    pairing = Pairing.of(len(clips), seed=settings.seed)
    for number in range(len(clips)):
        clip, partners = read_clip(clips, number), pairing.partners(number)
        sounds = [clips.sound(partner) for partner in partners]
        truth.add(gesture_windows(clip.pose))
        columns["truth"].add(number, clip, Made(Motion(clip.pose), None), sounds)
        other = partners[0] if partners else None
        for name, entrant in entrants.items():
            made = _made(
                entrant,
                clips,
                number,
                clip,
                None if other is None else (other, sounds[0]),
                settings,
            )
            columns[name].add(number, clip, made, sounds)
            on_made(number, name, clip, made.own)
        on_progress(number + 1, len(clips))
    return [
        row
        for name, column in columns.items()
        for row in column.rows()
        if name != "truth" or (row.protocol not in UNTRUE and row.metric not in FRAMES_OF_TRUTH)
    ]


def _made(
    entrant: Entrant, clips: Motions, number: int, clip: EvalClip,
    other: tuple[int, Int16[np.ndarray, " _samples"]] | None, settings: Settings,
) -> Made:  # fmt: skip
    """A clip's motion from its own voice, from another clip's, and again from its own."""
    seed, person = settings.seed + number, clip.person
    features = entrant.voices.rows(clips.entries[number])
    own = entrant.generate(features, clip.sound, person, seed)
    unpaired = None
    if other is not None:
        voice = entrant.voices.rows(clips.entries[other[0]])
        unpaired = entrant.generate(voice, other[1], person, seed).pose
    again = [
        entrant.generate(features, clip.sound, person, seed + len(clips) * more).pose
        for more in range(1, 1 if entrant.deterministic else settings.samples)
    ]
    return Made(own, unpaired, again, entrant.deterministic and settings.samples > 1)


# ---- files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Skeletons:
    """Videos of the first clips, beside the truth."""

    out: Path
    first: int

    def write(self, number: int, name: str, clip: EvalClip, made: Motion) -> None:
        """One video, where the clip is among the first."""
        if number >= self.first:
            return
        folder = self.out / "videos" / name.replace(", ", "-").replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        write_skeleton_video(
            folder / f"{clip.id}.mp4", made.pose, sound=clip.sound, beside=clip.pose
        )


def write(out: Path, rows: Sequence[Row], facts: Mapping[str, Any]) -> None:
    """metrics.md, metrics.json and metrics.png."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.md").write_text(markdown(rows, facts))
    (out / "metrics.json").write_text(as_json(rows, facts))
    present = {(row.metric, row.protocol) for row in rows if row.interval is not None}
    if plotted := [each for each in PLOTTED if each in present]:
        plot(rows, out / "metrics.png", plotted)


def fresh(out: Path) -> None:
    """Make room for an evaluation. Raises OutError for a folder that holds something else."""
    ours = {"metrics.md", "metrics.json", "metrics.png", "videos"}
    shutil.rmtree(free_place(out, ours, mark="metrics.json"), ignore_errors=True)
