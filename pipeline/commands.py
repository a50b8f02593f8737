"""The commands of `csg-data` that look after what is there: verify, diff, what-if, restore, gc, compare-pose."""

import json
from pathlib import Path
from typing import Annotated

import typer

from manifests.console import console as open_console
from pipeline.config import Run, load

console = open_console()

Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Any setting, such as spans.shortest=6 or rules.static=0.1.",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option(help="Settings as YAML; every key can be overridden with --set.")
]


SAMPLE_SETTINGS = Path(__file__).parents[1] / "manifests" / "sources" / "sample.yaml"


def settings(config: Path | None, given: dict[str, object], overrides: list[str] | None) -> Run:
    """The settings of a command line: the file, then its own options, then --set; the sample's without any sources."""
    stated = [
        f"{key}={json.dumps(str(value) if isinstance(value, Path) else value)}"
        for key, value in given.items()
        if value is not None
    ]
    if config is None and given.get("sources") is None:
        config = SAMPLE_SETTINGS
    return load(config, (*stated, *(overrides or ())))


Dataset = Annotated[Path, typer.Argument(help="Folder of a dataset.")]


def verify(
    dataset: Dataset,
    work: Annotated[
        Path | None, typer.Option(help="The work folder of its run.  \\[default: <dataset>.work]")
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Move bad files of the work folder aside; the next run makes them again.",
        ),
    ] = False,
) -> None:
    """Hash everything, dataset and work folder, and name what is bad. Exit codes: 0 all good, 1 something is bad."""
    from pipeline.audit.verify import show
    from pipeline.audit.verify import verify as check
    from pipeline.run.work import states_of

    place = work or dataset.with_name(dataset.absolute().name + ".work")
    checked = place if place.is_dir() or work is not None else None
    report = check(dataset, work=checked, ledger=states_of(checked), repair=repair)
    show(report, console)
    raise typer.Exit(report.exit_code)


def diff(
    a: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    b: Annotated[Path, typer.Argument(help="Folder of another version.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which clips came, went or changed from A to B, and because of what. Exit codes: 0 the same, 1 not."""
    from pipeline.audit.diff import diff as compare
    from pipeline.audit.diff_report import show, to_json

    found = compare(a, b)
    if as_json:
        typer.echo(to_json(found))
    else:
        show(found, console)
    raise typer.Exit(found.exit_code)


def what_if(dataset: Dataset, set_: Override = None) -> None:
    """Show the funnel and the clips under other thresholds (--set rules.static=0.06), from what is on record."""
    from pipeline.audit.whatif import thresholds_in
    from pipeline.audit.whatif import what_if as look

    console.print(look(dataset, thresholds_in(set_ or [])))


def restore(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    root: Annotated[
        str | None,
        typer.Argument(help="Beginning of a version's root hash.  \\[default: the newest]"),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show the versions that are there.")
    ] = False,
    keep: Annotated[int, typer.Option(min=1, help="Earlier versions that stay.")] = 1,
) -> None:
    """Bring back an earlier version of a dataset; the one that is there becomes an earlier one itself."""
    from pipeline.run.commit import restore as bring_back
    from pipeline.run.commit import versions

    place = dataset.absolute()
    if list_:
        for version in versions(place):
            console.print(version.root, soft_wrap=True)
        return
    console.print(f"{dataset} is {bring_back(place, root, keep=keep)} again", soft_wrap=True)


def gc(
    config: ConfigFile = None,
    sources: Annotated[str | None, typer.Option(help="As for build; needed for --stale.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the dataset.")] = None,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale", help="Records too that these sources and settings come by no more."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be freed.")] = False,
    set_: Override = None,
) -> None:
    """Free what nothing in the work folder refers to: blobs, media, damaged files set aside. No dataset is touched."""
    from pipeline.run.gc import collect

    run = settings(config, {"sources": sources, "out": out}, set_)
    for line in collect(run, stale=stale, dry=dry_run).lines():
        console.print(line)


def compare_pose(
    sources: Annotated[
        str,
        typer.Argument(help="List, folder, glob or file of clips of one person, on this machine."),
    ],
    config: ConfigFile = None,
    onnx: Annotated[
        list[Path] | None, typer.Option(help="A further model for onnx; may be repeated.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Of each clip, from its start.")] = 250,
    to_json: Annotated[
        Path | None, typer.Option("--json", help="Write everything as JSON too.")
    ] = None,
    set_: Override = None,
) -> None:
    """Run every installed pose backend over the same frames, and print how far they are from each other."""
    from manifests.files import write_whole
    from pipeline.audit import compare_pose as comparing

    def say(text: str) -> None:
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)

    run = settings(config, {"sources": sources}, set_)
    found = comparing.compare(run, onnx or [], frames=frames, say=say)
    console.print(comparing.tables(found))
    if len(found.backends) == 1:
        say("one backend alone is compared with nothing; how to get another:")
        for name, lacks in found.absent.items():
            say(f"  {name}: {lacks}")
    if to_json is not None:
        write_whole(to_json, json.dumps(comparing.to_json(found), indent=2, sort_keys=True) + "\n")


ALL = (verify, diff, what_if, restore, gc, compare_pose)
