"""The evaluation of one trained model: held-out clips, baselines of its own training clips, a table, plots, videos."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from models.data.audio import Encoder
from models.data.batches import statistics_of
from models.data.features import Features, audio_features, pose_features, prepare
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.evaluation.baselines import (
    LoudnessBaseline,
    MeanPose,
    MotionGenerator,
    Nearest,
    RidgeBaseline,
    Still,
)
from models.evaluation.metrics.autoencoder import MotionEncoder, Windows, load, save, train_encoder
from models.evaluation.metrics.table import SETS, NotMeasured, are, counted
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.protocols import (
    EvalClip,
    Generated,
    Row,
    as_json,
    make,
    markdown,
    measure,
    plot,
)
from models.infer.generate import free_place
from models.infer.video import write_skeleton_video

PLOTTED = (
    ("lips_truth", "matched audio"),
    ("lips_truth", "matched minus mismatched"),
    ("mean_error", "paired"),
    ("speed", "paired"),
    ("fgd", "set"),
)
SAMPLES = 3
"""Motions drawn for each voice, for the diversity of hands."""
Told = Callable[[str], None]


def eval_clips(motions: Motions, voices: Features) -> list[EvalClip]:
    """Clips as the evaluation wants them; the reference is the first frame."""
    clips: list[EvalClip] = []
    for number, entry in enumerate(motions.entries):
        pose = motions.pose(number)
        clips.append(
            EvalClip(
                entry.id, entry.identity, pose, motions.sound(number), voices.rows(entry), pose[0]
            )
        )
    return clips


def baselines(
    training: Motions, skeleton: Skeleton, encoder: Encoder, features: Path | None
) -> dict[str, MotionGenerator]:
    """What was made of the training clips alone, by name; without the mouths where those clips show no lips."""
    values = prepare(training, pose_features(skeleton), features)
    voices = prepare(training, audio_features(encoder), features)
    statistics = statistics_of(training, values)
    poses = [training.pose(number) for number in range(len(training))]
    sounds = [training.sound(number) for number in range(len(training))]
    mouths = {
        "loudness baseline": LoudnessBaseline.fit(poses, sounds),
        "ridge baseline": RidgeBaseline.fit(poses, [voices.rows(e) for e in training.entries]),
    }
    return {
        "reference, still": Still(),
        "mean pose": MeanPose(skeleton, statistics),
        "nearest neighbour": Nearest(
            skeleton, statistics, [voices.rows(e) for e in training.entries],
            [values.rows(e) for e in training.entries],
        ),
        **{name: mouth for name, mouth in mouths.items() if mouth is not None},
    }  # fmt: skip


def motion_encoder(
    training: Motions, held: Motions, folder: Path, *, epochs: int, width: int
) -> MotionEncoder | NotMeasured:
    """The encoder under FGD, trained once on the training clips' windows and kept; or why there is none.

    Nothing is trained for held-out clips that are too few for FGD. epochs: 0 for no encoder.
    """
    if not epochs:
        return NotMeasured("it takes a motion encoder, which 0 epochs do not train")
    least, found = SETS["fgd"].least, windows_of(held, step=None)
    if len(found) < least:
        return NotMeasured(f"it takes {counted(least)} to evaluate on, there {are(len(found))}")
    kept = folder / f"encoder-{epochs}-{width}"
    if kept.is_dir() and (files := sorted(kept.glob("*.safetensors"))):
        return load(files[0])
    windows = windows_of(training, step=16)
    if len(windows) < 2:
        return NotMeasured(
            f"it takes a motion encoder, which takes {counted(2)} to train on, there {are(len(windows))}"
        )
    encoder = train_encoder(windows, seed=0, epochs=epochs, width=width)
    save(encoder, kept)
    return encoder


def windows_of(motions: Motions, *, step: int | None) -> Windows:
    """The gesture windows of all clips, one every `step` frames, or end to end."""
    return np.concatenate(
        [gesture_windows(motions.pose(number), step=step) for number in range(len(motions))]
    )


def evaluate(
    out: Path, clips: Sequence[EvalClip], generators: Mapping[str, MotionGenerator], *,
    encoder: MotionEncoder | NotMeasured, facts: Mapping[str, object], seed: int = 0, videos: int = 2,
    told: Told = lambda text: None,
) -> list[Row]:  # fmt: skip
    """Measure every generator, the truth first; write metrics.md, metrics.json, metrics.png and videos into `out`."""
    truth = Generated([c.pose for c in clips], [c.pose for c in clips], list(range(len(clips))), [])
    rows = [
        row
        for row in measure("truth", clips, truth, seed=seed, encoder=encoder)
        if row.protocol not in UNTRUE
    ]
    out.mkdir(parents=True, exist_ok=True)
    for name, generator in generators.items():
        told(f"{name}: {len(clips)} clips")
        made = make(clips, generator, seed=seed, samples=SAMPLES)
        rows += measure(name, clips, made, seed=seed, encoder=encoder)
        for clip, pose in list(zip(clips, made.own, strict=True))[:videos]:
            folder = out / "videos" / name.replace(", ", "-").replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            write_skeleton_video(
                folder / f"{clip.id}.mp4", pose, sound=clip.sound, beside=clip.pose
            )
    (out / "metrics.md").write_text(markdown(rows, facts))
    (out / "metrics.json").write_text(as_json(rows, facts))
    present = {(row.metric, row.protocol) for row in rows if row.interval is not None}
    if plotted := [each for each in PLOTTED if each in present]:
        plot(rows, out / "metrics.png", plotted)
    return rows


UNTRUE = ("unpaired", "mismatched audio", "matched minus mismatched", "matched audio")
"""Protocols in which the truth would be compared with itself."""


def fresh(out: Path) -> None:
    """Make room for an evaluation. Raises OutError for a folder that holds something else."""
    ours = {"metrics.md", "metrics.json", "metrics.png", "videos"}
    shutil.rmtree(free_place(out, ours, mark="metrics.json"), ignore_errors=True)
