"""`tfdual versions`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tfdual.serving.version import WHOLE, Version
from tfdual.serving.versions import Versions

Folder = Annotated[Path, typer.Argument(help="The folder of versions, e.g. models/movies.")]
Number = Annotated[int, typer.Argument(help="The number of a version.")]
Label = Annotated[str, typer.Option(help="stable or canary.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

versions = typer.Typer(no_args_is_help=True, help="List, promote, roll back, prune and verify the versions of a model.")


@versions.command("list")
def list_versions(folder: Folder, as_json: AsJson = False) -> None:
    """Print each version: number, time, size, labels, state, and what it is."""
    found = Versions(folder).list()
    if as_json:
        typer.echo(json.dumps([_plain(version) for version in found], indent=2))
        return
    table = Table("version", "published", "MiB", "labels", "state", "model")
    for version in found:
        size, labels = f"{version.size / 2**20:.1f}", ", ".join(version.labels)
        table.add_row(str(version.number), version.published, size, labels, version.state, _words(version.summary))
    Console(markup=False, emoji=False).print(table)


@versions.command()
def promote(folder: Folder, number: Number, label: Label = "stable", as_json: AsJson = False) -> None:
    """Let a label name a version; its files are read and checked before."""
    _print_moved(Versions(folder).promote(number, label), label, as_json)


@versions.command("roll-back")
def roll_back(folder: Folder, label: Label = "stable", as_json: AsJson = False) -> None:
    """Let a label name what it named before."""
    _print_moved(Versions(folder).roll_back(label), label, as_json)


@versions.command()
def prune(
    folder: Folder,
    keep: Annotated[int, typer.Option(help="How many of the newest to keep.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Remove old versions; what labels name, and named before, stays."""
    removed = Versions(folder).prune(keep)
    left = Versions(folder).numbers()
    if as_json:
        typer.echo(json.dumps({"removed": removed, "kept": left}))
    else:
        typer.echo(f"removed {_numbers(removed)}; kept {_numbers(left)}")


@versions.command()
def verify(
    folder: Folder,
    numbers: Annotated[list[int] | None, typer.Argument(help="Versions; all where none is given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read every file, and exit with 1 if one is not what was published."""
    store = Versions(folder)
    found = {number: store.verify(number) for number in numbers or store.numbers()}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for number, wrong in found.items():
            typer.echo("\n".join(f"{number}  {line}" for line in wrong or [WHOLE]))
    raise typer.Exit(1 if any(found.values()) else 0)


def _print_moved(version: Version, label: str, as_json: bool) -> None:
    typer.echo(json.dumps(_plain(version)) if as_json else f"{label} is now version {version.number}")


def _plain(version: Version) -> dict[str, Any]:
    return dataclasses.asdict(version) | {"path": str(version.path)}


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _words(summary: dict[str, Any]) -> str:
    index = summary.get("index", {})
    known = [index.get("kind"), f"{index['items']:,} items" if "items" in index else None]
    return ", ".join(word for word in known if word)
