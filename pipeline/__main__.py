"""The command `csg-data`: build a dataset, look at what a run would do, check the machine and its weights."""

from pathlib import Path
from typing import Annotated

import typer

from manifests.console import console as open_console
from manifests.errors import run_command
from pipeline import commands
from pipeline.commands import ConfigFile, Override, settings
from pipeline.config import Run

app = typer.Typer(
    help="Talking-person video into a co-speech gesture dataset.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(
    help="List, fetch and verify the weights of the reference backends.", no_args_is_help=True
)
app.add_typer(weights_app, name="weights")
for command in commands.ALL:
    app.command()(command)
console = open_console()


def show_version(wanted: bool) -> bool:
    """Print what runs here in one line, and end."""
    if wanted:
        import platform

        from pipeline.packages import version_of

        version = version_of("cospeech") or "not installed"
        python = f"{platform.python_implementation()} {platform.python_version()}"
        typer.echo(f"cospeech {version}, {python}, {platform.platform()}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=show_version,
            is_eager=True,
            help="Print the version, Python and the platform, and end.",
        ),
    ] = False,
) -> None:
    """Talking-person video into a co-speech gesture dataset."""


@app.command()
def build(
    config: ConfigFile = None,
    sources: Annotated[
        str | None,
        typer.Option(
            help="List (CSV, TSV, YAML, JSONL, Parquet), folder, glob, file or URL.  \\[default: the built-in sample]"
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder of the dataset.  \\[default: dataset]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes.  \\[default: one per core]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a running Dask scheduler.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="First N sources only: a trial, which replaces no fuller dataset."),
    ] = None,
    max_failed: Annotated[
        int | None,
        typer.Option(
            help="Stop and commit nothing if more fail.  \\[default: a whole silent host stops it]"
        ),
    ] = None,
    allow_shrink: Annotated[
        bool | None,
        typer.Option(
            "--allow-shrink", help="Commit even where clips are lost that nothing may take away."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is done and what would be; do nothing.")
    ] = False,
    set_: Override = None,
) -> None:
    """Build a dataset. Repeating the same line does only what is left.

    Exit codes: 0 done; 1 nothing was kept; 2 a mistake in settings or list; 3 stopped by an outage or by --max-failed,
    nothing committed; 4 clips would have been lost, nothing committed; 130 interrupted.
    """
    given = {
        "sources": sources,
        "out": out,
        "workers": workers,
        "scheduler": scheduler,
        "limit": limit,
        "max_failed": max_failed,
        "allow_shrink": allow_shrink,
    }
    run = settings(config, given, set_)
    if dry_run:
        show_status(run)
        return
    from pipeline.run.build import build as build_dataset

    raise typer.Exit(build_dataset(run, console))


@app.command()
def status(
    config: ConfigFile = None,
    sources: Annotated[str | None, typer.Option(help="As for build.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the dataset.")] = None,
    limit: Annotated[int | None, typer.Option(help="First N sources only.")] = None,
    set_: Override = None,
) -> None:
    """Say what is on record, what is left to measure, what is stale and why. Measures and changes nothing."""
    show_status(settings(config, {"sources": sources, "out": out, "limit": limit}, set_))


def show_status(run: Run) -> None:
    """The state of a run, printed."""
    from pipeline.run.status import state

    for line in state(run):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def doctor(
    config: ConfigFile = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Run each installed backend on a second of the built-in sample; exit 1 if one fails.",
        ),
    ] = False,
    set_: Override = None,
) -> None:
    """Say which backends work here, what the others lack and how to get it, and which filters are proven."""
    from pipeline.audit.doctor import findings, table

    run = settings(config, {}, set_)
    console.print(table(findings(run)))
    if deep:
        from pipeline.audit import deep as deeply

        console.print("\neach installed backend, run on a second or two of the built-in sample")
        found: list[deeply.Trial] = []
        for each in deeply.trials(run):
            console.print(deeply.line(each), highlight=False, soft_wrap=True)
            found.append(each)
        raise typer.Exit(int(any(each.outcome == "fails" for each in found)))


@app.command()
def look(
    dataset: Annotated[Path, typer.Argument(help="Folder of a dataset.")],
    out: Annotated[Path, typer.Option(help="Folder for the sheets.")] = Path("sheets"),
    clip: Annotated[
        list[str] | None, typer.Option(help="Beginning of a clip's id; may be repeated.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Sheets, spread over the set.")] = 10,
    strip: Annotated[
        Path | None,
        typer.Option(
            help="One row of frames of three people into this .jpg or .png, and no sheets."
        ),
    ] = None,
) -> None:
    """Draw contact sheets: keypoints, face box, speaker and sync offset over the stored pictures of some clips."""
    from pipeline.audit.filmstrip import write_filmstrip
    from pipeline.audit.look import write_sheets

    if strip is not None:
        console.print(str(write_filmstrip(dataset, strip, clips=clip or ())), soft_wrap=True)
        return
    for file in write_sheets(dataset, out, clips=clip or (), most=most):
        console.print(str(file), soft_wrap=True)


@app.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(help="Where to write the videos, sources.csv and truth.tsv.")
    ],
) -> None:
    """Make the built-in sample: drawn speakers with synthetic voices, and sources with one planted fault each."""
    from pipeline.sample import make_sample

    console.print(str(make_sample(folder)), soft_wrap=True)


@app.command("settings")
def show_settings(config: ConfigFile = None, set_: Override = None) -> None:
    """Print every setting with its value, as the YAML that --config takes."""
    import yaml

    run = settings(config, {}, set_)
    typer.echo(yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False), nl=False)


@app.command(hidden=True)
def docs() -> None:
    """Write the pages that are generated from the code anew."""
    from pipeline.audit.pages import write_pages

    for place in write_pages():
        console.print(str(place), soft_wrap=True)


WeightsFolder = Annotated[
    Path | None,
    typer.Option("--to", help="Folder.  \\[default: COSPEECH_WEIGHTS, or the user's cache]"),
]


@weights_app.command("list")
def list_weights(to: WeightsFolder = None) -> None:
    """Show all known weights and whether they are here."""
    from rich.table import Table

    from pipeline.weights import folder, states

    place = to or folder()
    console.print(str(place), soft_wrap=True)  # as a title it would be folded to the table's width
    table = Table(box=None, pad_edge=False)
    for column in ("name", "state", "MB", "licence", "used by"):
        table.add_column(column, overflow="fold")
    for item, state in states(place):
        table.add_row(item.name, state, f"{item.bytes / 1e6:.1f}", item.licence, item.used_by)
    console.print(table)


@weights_app.command("fetch")
def fetch_weights(
    names: Annotated[
        list[str], typer.Argument(help="Names as `csg-data weights list` shows them.")
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder that holds the files, instead of the publisher."),
    ] = None,
    to: WeightsFolder = None,
) -> None:
    """Fetch weights and check them against their pinned SHA-256."""
    from pipeline.weights import folder, get, known

    for name in names:
        console.print(str(get(known(name), to or folder(), source=source)), soft_wrap=True)


@weights_app.command("verify")
def verify_weights(to: WeightsFolder = None) -> None:
    """Hash what is here; exit 1 where a file is not the pinned one."""
    from pipeline.weights import folder, states

    found = [(item, state) for item, state in states(to or folder()) if state != "absent"]
    for item, state in found:
        console.print(f"{item.name}: {state}")
    if not found:
        console.print(f"no weights in {to or folder()}", soft_wrap=True)
    raise typer.Exit(int(any(state == "other bytes" for _, state in found)))


def main() -> None:
    """The console script: a user's mistake is one sentence and exit code 2."""
    run_command(app)


if __name__ == "__main__":
    main()
