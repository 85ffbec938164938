"""Folders of saved models: numbered, whole, and with a description."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfdual._aside import made_aside

FORMAT = "tfdual.retriever"
VERSION = 1
DESCRIPTION = Path("assets.extra") / "tfdual.json"


def publish(folder: str | Path, write: Callable[[Path], None], description: dict[str, Any]) -> Path:
    """Write the next version of a model: aside first, then renamed, so that a reader never sees half of it.

    Args:
        folder: path. Holds the versions `1/`, `2/`, ...; made where it is missing.
        write: takes the folder to write into.
        description: plain JSON types, kept in `assets.extra/tfdual.json`.

    Returns:
        The folder of the new version.

    Raises:
        OSError: the folder can't be written. Nothing is left behind.
    """
    folder = Path(folder)
    version = max([0, *(versions(folder) if folder.exists() else [])]) + 1
    aside = folder / f".writing-{version}-{os.getpid()}"
    with made_aside(aside):
        write(aside)
        (aside / DESCRIPTION).parent.mkdir(exist_ok=True)
        content = {"format": FORMAT, "version": VERSION, **description}
        (aside / DESCRIPTION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        aside.rename(folder / str(version))
    return folder / str(version)


def versions(folder: Path) -> list[int]:
    """The versions in a model's folder, ascending."""
    return sorted(int(child.name) for child in folder.iterdir() if child.is_dir() and child.name.isdigit())


def find_version(path: str | Path) -> Path:
    """The version folder that `path` is, or the newest one in it.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it holds no model that `Retriever.export` wrote.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no model directory {path}. Make one with `Retriever.export` or `tfdual demo`."
        )
    if path.is_dir() and not (path / DESCRIPTION).exists() and (found := versions(path)):
        path = path / str(found[-1])
    if not (path / DESCRIPTION).is_file():
        raise ValueError(
            f"{path} is no tfdual model: it lacks {DESCRIPTION}. Give a folder that `Retriever.export` wrote, "
            "such as models/movies or models/movies/1."
        )
    return path


def describe(path: Path) -> dict[str, Any]:
    """The description of a version folder.

    Raises:
        ValueError: the description is damaged or of another format.
    """
    try:
        content = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path / DESCRIPTION} is damaged: {error}. Export the model again.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise ValueError(f"{path / DESCRIPTION} is not of format {FORMAT}, version {VERSION}. Export the model again.")
    index = content.get("index")
    if "query_schema" not in content or not isinstance(index, dict) or "kind" not in index:
        raise ValueError(
            f"{path / DESCRIPTION} is damaged: it lacks 'query_schema' or 'index'. Export the model again."
        )
    return content
