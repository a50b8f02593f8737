"""The command `csg-model`: list systems, prepare, train or import one, generate with it, measure it."""

import sys
import time
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from manifests.console import console as open_console
from manifests.errors import UserError, run_command
from models.systems import SYSTEMS, system_of

app = typer.Typer(
    help="From a voice and one picture to a moving skeleton.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
TRAINING = ("accelerate", "diffusers", "matplotlib", "safetensors", "transformers")
"""What only the extra `train` installs."""
console = open_console()

SystemName = Annotated[str, typer.Argument(metavar="SYSTEM", help=" or ".join(SYSTEMS))]
ConfigName = Annotated[
    str | None,
    typer.Option(
        help="A configuration by its name (csg-model systems lists them), or a file of settings (.yaml).  "
        "\\[default: the system's first]"
    ),
]
Data = Annotated[
    str, typer.Option(help="Dataset that csg-data build wrote: a folder, or a URL (s3://…).")
]
Model = Annotated[Path, typer.Option(help="Folder of a training run, or of an exported model.")]
TrainingSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Any setting, such as training.steps=500."
    ),
]
GenerationOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="How motion is made, such as device=cpu; csg-model systems NAME lists what there is.",
    ),
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
    str | None,
    typer.Option(
        help="Where features lie: a folder or a URL.  \\[default: features/ in the dataset]"
    ),
]
EncoderFolder = Annotated[
    str | None,
    typer.Option(help="logmel, or where the weights lie: wav2vec2=FOLDER, hubert=…, wavlm=…"),
]
Without = Annotated[
    list[str] | None,
    typer.Option(help="An identity to keep out of training; its clips are validated on."),
]


@app.command()
def systems(
    system: Annotated[
        str | None, typer.Argument(metavar="[SYSTEM]", help="One of them, with all its settings.")
    ] = None,
) -> None:
    """List the systems, their configurations and phases; of one, also every setting with its value."""
    import yaml

    from models.systems.base import Generating, Importer
    from models.training.settings import plain

    for name in SYSTEMS if system is None else [system]:
        found, listing = system_of(name), SYSTEMS[name]
        console.print(f"{name}: {listing.does}", soft_wrap=True, highlight=False)
        console.print(f"  {listing.paper}", soft_wrap=True, highlight=False)
        for config, make in found.configs.items():
            phases = ", ".join(found.phases(make()))
            console.print(f"  --config {config}: phases {phases}", soft_wrap=True, highlight=False)
        if isinstance(found, Importer):
            console.print(f"  import: {found.published}", soft_wrap=True, highlight=False)
        if system is not None:
            first = next(iter(found.configs))
            settings = {f"settings of training, --config {first}": found.configs[first]()}
            if isinstance(found, Generating):
                settings["settings of generate and evaluate"] = found.generation()
            for title, values in settings.items():
                console.print(f"\n{title}\n", soft_wrap=True, highlight=False)
                console.print(
                    yaml.safe_dump(plain(values), sort_keys=False, default_flow_style=None),
                    soft_wrap=True, highlight=False, markup=False,
                )  # fmt: skip


@app.command()
def prepare(
    system: SystemName,
    data: Data,
    config: ConfigName = None,
    without: Without = None,
    features: FeatureFolder = None,
    encoder: EncoderFolder = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for this one.")] = 0,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run whose finished phases later ones build on, of systems with several."
        ),
    ] = None,
    set_: ConfigSettings = None,
) -> None:
    """Compute what training reads (poses, audio features) ahead, shard by shard. Repeating goes on where it was left.

    Several machines or GPUs: accelerate launch … -m models prepare …, or the variables RANK and WORLD_SIZE; each then
    computes its part of the shards.
    """
    from models.data.dataset import Dataset
    from models.systems.run import prepare_families, rank_of

    found = system_of(system)
    chosen = configured(found.configs, config, encoder, set_)
    dataset = Dataset.open(data, without=tuple(without or ()), features=features)
    rank, ranks, device = rank_of()
    done = prepare_families(
        found, chosen, dataset, run, device=device, workers=workers, part=(rank, ranks),
        on_progress=lambda family: counted(f"{family}: clips prepared"),
    )  # fmt: skip
    for family in done:
        part = f", part {rank + 1} of {ranks}" if ranks > 1 else ""
        console.print(f"prepared {family}{part}", soft_wrap=True, highlight=False)


@app.command()
def train(
    system: SystemName,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    config: ConfigName = None,
    without: Without = None,
    features: FeatureFolder = None,
    encoder: EncoderFolder = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            help="Weights to begin with: a trained or imported model, a checkpoint (run/…/checkpoints/step-…), or, for "
            "syncnet and light-asd, a file in the published layout."
        ),
    ] = None,
    set_: TrainingSettings = None,
) -> None:
    """Train, phase by phase. Repeating the same line goes on where it was left, to the same bits.

    Several GPUs or machines: csg-model prepare … first, then accelerate launch … -m models train …
    """
    from models.data.dataset import Dataset
    from models.systems.run import train_phases

    found = system_of(system)
    chosen = configured(found.configs, config, encoder, set_)
    dataset = Dataset.open(data, without=tuple(without or ()), features=features)
    model = train_phases(
        system, found, chosen, dataset, out, console=console, warm_start=warm_start,
        on_progress=lambda family: counted(f"{family}: clips prepared"),
    )  # fmt: skip
    console.print(f"model in {model}")


@app.command("import")
def import_(
    system: SystemName,
    checkpoint: Annotated[Path, typer.Argument(help="File of the published weights (.pth).")],
    statistics: Annotated[
        list[Path],
        typer.Option(
            help="Folder with the published mean and standard deviation, or, named twice, the file of the mean and "
            "that of the standard deviation."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    config: Annotated[str, typer.Option(help="Whose network it is.")] = "released",
    encoder: EncoderFolder = None,
    set_: ConfigSettings = None,
) -> None:
    """Make a model for generate and evaluate of a checkpoint that was published by others. No code in it is run.

    Which checkpoints a system takes says csg-model systems.
    """
    from models.infer.generate import free_place
    from models.systems.base import Importer
    from models.systems.folder import ModelError

    found = system_of(system)
    if not isinstance(found, Importer):
        raise ModelError(f"{system} imports no published checkpoints")
    place = free_place(out, MODEL_FILES, mark="system.json")
    chosen = configured(found.configs, config, encoder, set_)
    found.import_published(checkpoint, statistics, chosen, place)
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
    data: Annotated[
        str | None, typer.Option(help="Dataset that clips are in: a folder or a URL.")
    ] = None,
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
    set_: GenerationOptions = None,
) -> None:
    """Make a voice move a person: pose array, skeleton video, folders for pose-guided generators.

    Systems that make frames also give a video of the person. --set takes settings of the model's system, which
    csg-model systems NAME lists; device and the folder of the audio encoder's weights are among them.
    """
    from models.infer.fitting import fitted, misfit
    from models.infer.generate import free_place, write_motion
    from models.infer.guides import GUIDES
    from models.infer.reference import clip_of, crop_of, person_of
    from models.infer.voice import read_voice
    from models.systems.loading import load_generator
    from models.training.settings import plain

    wanted = {"all": list(GUIDES), "none": []}.get(guides, guides.split(","))
    for name in wanted:
        one_of("--guides", name, [*GUIDES, "all", "none"] if len(wanted) == 1 else list(GUIDES))
    free_place(out)
    generator = load_generator(model, set_ or [])
    backend = str(generator.facts.get("pose_backend", "mediapipe"))
    person = person_of(reference, data, backend=backend, crop=crop_of(generator.facts))
    if Path(audio).is_file():
        sound = read_voice(Path(audio))
    else:
        motions, number = clip_of(audio, data)
        sound = motions.sound(number)
    began = time.perf_counter()
    features = generator.encode_audio(sound)
    encoded = time.perf_counter()
    motion = generator.generate(features, person, seed=seed)
    made = time.perf_counter()
    pose, found = motion.pose, misfit(motion.pose, person.pose)
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
        "generation": plain(generator.generation),
        "model": dict(generator.facts),
        "misfit": {**asdict(found), "fitted": fit},
    }
    write_motion(
        out, pose, sound=sound, person=person, guides=wanted, facts=facts, frames=motion.frames
    )
    console.print(
        f"{len(pose) / 25:.1f} s of motion in {out}: voice {encoded - began:.1f} s, motion {made - encoded:.1f} s"
    )


@app.command()
def evaluate(
    model: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FOLDER",
            help="A training run or an exported model; several stand side by side, under their names.",
        ),
    ],
    data: Annotated[
        str, typer.Option(help="Dataset whose held-out clips are evaluated on: a folder or a URL.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the table, plots and videos.")],
    split: Annotated[
        str | None,
        typer.Option(help="test, val, train or all.  \\[default: people left out, else test]"),
    ] = None,
    use: Annotated[
        str,
        typer.Option(help="all: clips that serve for all; any: also those for training only."),
    ] = "all",
    clips: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many, chosen evenly over people.  \\[default: all]"),
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
    set_: GenerationOptions = None,
) -> None:
    """Measure models on clips they have not seen, beside the truth and five baselines, with intervals and chance.

    --set takes what it takes for generate, for every model, or as NAME.KEY=VALUE for one of several.
    """
    from models.data.index import Motions
    from models.data.splits import evaluated
    from models.evaluation.run import Settings, fresh
    from models.evaluation.run import evaluate as run_evaluation
    from models.systems.loading import load_generator
    from models.training.settings import plain

    if split is not None:
        one_of("--split", split, ["test", "val", "train", "all"])
    one_of("--use", use, ["all", "any"])
    fresh(out)
    folders = named(model)
    generators = {
        name: load_generator(folder, own_settings(name, folders, set_ or []))
        for name, folder in folders.items()
    }
    without = {name for each in generators.values() for name in each.facts.get("without", ())}
    training, held_out, left_out = evaluated(
        Motions.open(data), sorted(without), split, "any" if use == "any" else "all"
    )
    facts = {"left out, for training only": f"{left_out} clips"} if left_out else {}
    facts |= {
        f"{name}: {what}": value
        for name, each in generators.items()
        for what, value in (
            ("trained on", each.facts.get("dataset", "unknown")),
            ("generation", plain(each.generation)),
        )
    }
    run_evaluation(
        out,
        generators,
        training,
        held_out,
        settings=Settings(clips=clips, seed=seed, epochs=epochs, features=features),
        facts=facts,
        on_progress=counted("clips evaluated"),
        say=lambda text: console.print(text, soft_wrap=True, highlight=False),
    )
    console.print(f"table in {out / 'metrics.md'}, plots in {out / 'metrics.png'}")


def named(models: list[str]) -> dict[str, Path]:
    """Folders by name: as given, or `model` for one alone, else the folder's own. Raises SettingsError."""
    from models.training.settings import SettingsError

    found: dict[str, Path] = {}
    for each in models:
        name, equals, folder = each.partition("=")
        if not equals:
            folder, name = each, "model" if len(models) == 1 else Path(each).resolve().name
        if not name or name in found:
            raise SettingsError(
                f"--model {each}: each of several models has a name of its own, NAME=FOLDER"
            )
        found[name] = Path(folder)
    return found


def own_settings(name: str, names: Collection[str], assignments: list[str]) -> list[str]:
    """The settings that one of several models is to generate with: all but those that are of another by name."""
    own: list[str] = []
    for each in assignments:
        whose, dot, rest = each.partition(".")
        if dot and whose in names:
            own += [rest] if whose == name else []
        else:
            own.append(each)
    return own


MODEL_FILES = frozenset(
    {
        *("README.md", "config.json", "statistics.json", "system.json"),
        "diffusion_pytorch_model.safetensors",
    }
)
"""What lies in an imported model."""


def configured(configs, config: str | None, encoder: str | None, assignments: list[str] | None):
    """The configuration that options name. Raises SettingsError."""
    from models.training.settings import configured as chosen

    given = [f"encoder={encoder}"] if encoder else []
    return chosen(configs, config or next(iter(configs)), [*given, *(assignments or [])])


def one_of(what: str, given: str, known: list[str]) -> None:
    """Raises SettingsError for a name that is not known."""
    from models.training.settings import SettingsError

    if given not in known:
        raise SettingsError(f"{what} is one of {', '.join(known)}, got {given!r}")


def counted(what: str):
    """A progress line for a count, on a terminal."""

    def on_progress(done: int, of: int) -> None:
        if console.is_terminal:
            console.print(f"{what} {done}/{of}", end="\r" if done < of else "\n")

    return on_progress


def main() -> None:
    """The command; a user's mistake is one sentence and exit code 2."""
    run_command(with_training, program="csg-model")


def with_training() -> None:
    """The command line. Raises UserError where the extra that all of it needs is not installed."""
    from models.training.signals import INTERRUPTED, Stopped

    try:
        app()
    except Stopped as stopped:
        console.print(str(stopped), style="yellow")
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        raise UserError(f"{error.name} is needed: install cospeech[train]") from error


if __name__ == "__main__":
    main()
