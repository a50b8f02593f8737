"""The command `csg-data`: build a dataset, look at what a run would do, check the machine and its weights."""

import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="Talking-person video into a co-speech gesture dataset.", no_args_is_help=True, add_completion=False
)
console = Console()
errors = Console(stderr=True)

Override = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Any setting, such as spans.shortest=6 or rules.static=0.1."),
]


@app.command()
def build(
    config: Annotated[Path | None, typer.Option(help="Settings as YAML; every key can be given with --set.")] = None,
    sources: Annotated[
        str | None, typer.Option(help="List (CSV, TSV, YAML, JSONL, Parquet), folder, glob, file, URL, or `sample`.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the dataset.  [default: dataset]")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.  [default: one per core]")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a running Dask scheduler.")] = None,
    limit: Annotated[int | None, typer.Option(help="First N sources only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what is done already.")] = False,
    set_: Override = None,
) -> None:
    """Build a dataset. Repeating the same line does only what is left."""
    from pipeline.config import load

    given = {"sources": sources, "out": out, "workers": workers, "scheduler": scheduler, "limit": limit}
    overrides = [f"{key}={json.dumps(str(value) if isinstance(value, Path) else value)}" for key, value in given.items() if value is not None]
    run = load(config, (*overrides, *(set_ or ())))
    if dry_run:
        from pipeline.run.dry import plan

        console.print(plan(run))
        return
    from pipeline.run.build import build as build_dataset

    raise typer.Exit(build_dataset(run, console))


if __name__ == "__main__":
    app()
