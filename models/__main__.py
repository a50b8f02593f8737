"""The command `csg-model`: train a system or import a published one, generate motion with it, measure it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from manifests.console import console as open_console
from manifests.errors import UserError, run_command

app = typer.Typer(
    help="From a voice and one picture to a moving skeleton.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
TRAINING = ("accelerate", "diffusers", "matplotlib", "safetensors", "transformers")
"""What only the extra `train` installs."""
console = open_console()

Model = Annotated[Path, typer.Option(help="Folder of a training run, or of an exported model.")]
TrainingSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Any setting, such as training.steps=500."
    ),
]
MakingSettings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="How motion is made, such as steps=20."),
]
ConfigSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="A setting of the configuration by its dotted name.",
    ),
]
FeatureFolder = Annotated[
    Path | None,
    typer.Option(help="Where audio features lie.  [default: features/ in the dataset]"),
]
EncoderFolder = Annotated[
    str | None,
    typer.Option(help="logmel, or where the weights lie: wav2vec2=FOLDER, hubert=…, wavlm=…"),
]


@app.command()
def train(
    system: Annotated[str, typer.Argument(help="csg405")],
    data: Annotated[Path, typer.Option(help="Folder that csg-data build wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    config: Annotated[str, typer.Option(help="tiny, small, paper or released.")] = "tiny",
    without: Annotated[
        list[str] | None,
        typer.Option(help="An identity to keep out of training; its clips are validated on."),
    ] = None,
    features: FeatureFolder = None,
    encoder: EncoderFolder = None,
    set_: TrainingSettings = None,
) -> None:
    """Train. Repeating the same line goes on where it was left, to the same bits.

    Several GPUs or machines: accelerate launch … -m models train …
    """
    from accelerate import PartialState

    from models.systems.csg405.configs import CONFIGS
    from models.systems.csg405.task import Task
    from models.training.settings import overridden, plain
    from models.training.trainer import train as run_training

    one_of("system", system, ["csg405"])
    one_of("--config", config, list(CONFIGS))
    given = [f"encoder={encoder}"] if encoder else []
    chosen = overridden(CONFIGS[config](), [*given, *(set_ or [])])
    machine = PartialState()
    with machine.main_process_first():  # who computes the features; the others find them
        task = Task.of(
            chosen,
            data,
            without=tuple(without or ()),
            features=features,
            device=str(machine.device),
            on_progress=counted("clips prepared"),
        )
    settings = {
        "system": system,
        "config": plain(chosen),
        "dataset": task.training.root,
        "without": sorted(without or ()),
    }
    model = run_training(out, task, chosen.training, settings, console=console)
    console.print(f"model in {model}")


@app.command("import")
def import_(
    system: Annotated[str, typer.Argument(help="csg405")],
    checkpoint: Annotated[Path, typer.Argument(help="File of the published weights (.pth).")],
    statistics: Annotated[
        list[Path],
        typer.Option(
            help="Folder with the published mean and spread, or, named twice, the file of the mean "
            "and that of the spread."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    config: Annotated[str, typer.Option(help="Whose network it is: released.")] = "released",
    encoder: EncoderFolder = None,
    set_: ConfigSettings = None,
) -> None:
    """Make a model for generate and evaluate of a checkpoint that was published by others. No code in it is run.

    csg405: of the code released with its paper, with Mean_… and Std_pose_rescaled_local_smooth_no_leg.npy.
    """
    from models.infer.generate import free_place
    from models.systems.csg405.configs import CONFIGS
    from models.systems.csg405.released import imported
    from models.systems.csg405.trained import FILES
    from models.training.settings import overridden

    one_of("system", system, ["csg405"])
    one_of("--config", config, list(CONFIGS))
    place = free_place(out, FILES, mark="system.json")
    given = [f"encoder={encoder}"] if encoder else []
    chosen = overridden(CONFIGS[config](), [*given, *(set_ or [])])
    imported(checkpoint, statistics, chosen).save(place)
    console.print(f"model in {out}")


@app.command()
def generate(
    model: Model,
    audio: Annotated[
        str, typer.Option(help="A voice: any file with sound, or a clip (its id, or test:0).")
    ],
    reference: Annotated[
        str, typer.Option(help="A picture of one person, a pose (.npy), or a clip.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for what is made.")],
    data: Annotated[Path | None, typer.Option(help="Dataset that clips are in.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Another seed, another motion.")
    ] = 0,
    guides: Annotated[
        str,
        typer.Option(help="Generators to write pose folders for: all, none, or names with commas."),
    ] = "all",
    fit: Annotated[
        bool,
        typer.Option(
            "--fit",
            help="Scale and move the motion onto the reference's body (nose, neck, shoulders, hips, head).",
        ),
    ] = False,
    set_: MakingSettings = None,
) -> None:
    """Make a voice move a person: pose array, skeleton video, folders for pose-guided generators.

    --set takes sampler (dpm, ddim, ancestral), steps, scale (of guidance; 1 is none;
    without it the scale that fitted validation clips best), eta, overlap, device, precision,
    and encoder (where its weights lie: wav2vec2=FOLDER).
    """
    from models.infer.fitting import fitted, misfit
    from models.infer.generate import free_place, write_motion
    from models.infer.guides import GUIDES
    from models.infer.reference import clip_of, person_of
    from models.infer.voice import read_voice
    from models.systems.csg405.trained import Making, Trained
    from models.training.settings import overridden, plain

    wanted = {"all": list(GUIDES), "none": []}.get(guides, guides.split(","))
    for name in wanted:
        one_of("--guides", name, [*GUIDES, "all", "none"] if len(wanted) == 1 else list(GUIDES))
    how = overridden(Making(), set_ or [])
    free_place(out)
    trained = Trained.load(model, how)
    trained.check(how)
    how = trained.resolved(how)
    person = person_of(reference, data, backend=trained.facts.get("pose_backend", "mediapipe"))
    if Path(audio).is_file():
        sound = read_voice(Path(audio))
    else:
        motions, number = clip_of(audio, data)
        sound = motions.sound(number)
    began = time.perf_counter()
    features = trained.hear(sound)
    heard = time.perf_counter()
    pose = trained.generate(features, person.pose, seed=seed, how=how)
    made = time.perf_counter()
    found = misfit(pose, person.pose)
    if fit:
        pose = fitted(pose, person.pose)
    elif found.large:
        console.print(
            f"the motion does not fit the reference: {found}; --fit scales and moves it onto the body",
            style="yellow",
        )
    facts = {
        "audio": audio,
        "reference": person.origin,
        "seed": seed,
        "making": plain(how),
        "model": dict(trained.facts),
        "misfit": {**asdict(found), "fitted": fit},
    }
    write_motion(out, pose, sound=sound, person=person, guides=wanted, facts=facts)
    console.print(
        f"{len(pose) / 25:.1f} s of motion in {out}: voice {heard - began:.1f} s, motion {made - heard:.1f} s"
    )


@app.command()
def evaluate(
    model: Model,
    data: Annotated[Path, typer.Option(help="Dataset whose held-out clips are evaluated on.")],
    out: Annotated[Path, typer.Option(help="Folder for the table, plots and videos.")],
    split: Annotated[
        str | None, typer.Option(help="test, val or all.  [default: people left out, else test]")
    ] = None,
    features: FeatureFolder = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of motions, pairings and intervals.")
    ] = 0,
    epochs: Annotated[
        int,
        typer.Option(
            min=0, help="Of the encoder under FGD, trained on the training clips; 0 for no FGD."
        ),
    ] = 100,
    set_: MakingSettings = None,
) -> None:
    """Measure a model on clips it has not seen, beside the truth and five baselines, with intervals and chance.

    --set takes what it takes for generate.
    """
    from models.data.features import audio_features, prepare
    from models.evaluation.metrics.table import NotMeasured
    from models.evaluation.protocols import interval_of
    from models.evaluation.run import baselines, eval_clips, fresh, motion_encoder
    from models.evaluation.run import evaluate as run_evaluation
    from models.systems.csg405.task import evaluated
    from models.systems.csg405.trained import Making, Trained
    from models.training.settings import overridden, plain

    fresh(out)
    how = overridden(Making(), set_ or [])
    trained = Trained.load(model, how)
    trained.check(how)
    how = trained.resolved(how)
    training, held = evaluated(trained, data, split)
    voices = prepare(held, audio_features(trained.encoder), features)
    generators = {
        "model": lambda heard, _sound, reference, seed: trained.generate(
            heard, reference, seed=seed, how=how
        ),
        **baselines(training, trained.config.skeleton, trained.encoder, features),
    }
    encoder = motion_encoder(training, held, model / "fgd", epochs=epochs, width=256)
    if isinstance(encoder, NotMeasured):
        console.print(f"FGD is not measured: {encoder.reason}")
    people = len({entry.identity for entry in held.entries})
    facts = {
        "clips": len(held),
        "people": people,
        "model": trained.facts.get("dataset", ""),
        "making": plain(how),
        "FGD encoder": "none" if isinstance(encoder, NotMeasured) else encoder.fingerprint(),
        "interval": interval_of(people),
    }
    run_evaluation(
        out,
        eval_clips(held, voices),
        generators,
        encoder=encoder,
        facts=facts,
        seed=seed,
        told=console.print,
    )
    console.print(f"table in {out / 'metrics.md'}, plots in {out / 'metrics.png'}")


def one_of(what: str, given: str, known: list[str]) -> None:
    """Raises SettingsError for a name that is not known."""
    from models.training.settings import SettingsError

    if given not in known:
        raise SettingsError(f"{what} is one of {', '.join(known)}, got {given!r}")


def counted(what: str):
    """A progress line for a count, on a terminal."""

    def told(done: int, of: int) -> None:
        if console.is_terminal:
            console.print(f"{what} {done}/{of}", end="\r" if done < of else "\n")

    return told


def main() -> None:
    """The command; a user's mistake is one sentence and exit code 2."""
    run_command(with_training, program="csg-model")


def with_training() -> None:
    """The command line. Raises UserError where the extra that all of it needs is not installed."""
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        raise UserError(f"{error.name} is needed: install cospeech[train]") from error


if __name__ == "__main__":
    main()
