"""Folders of saved models: found, kept while they are read, and described."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfdual.serving.folder_lock import held_for_reading
from tfdual.serving.manifest import faults
from tfdual.serving.version import DESCRIPTION, FORMAT, FORMAT_VERSION
from tfdual.serving.versions import Versions


def find_version(path: str | Path, version: str | int | None = None) -> Path:
    """The version folder that `path` is, or one of those in it.

    Args:
        path: a version, or a store of versions.
        version: `"stable"`, `"canary"`, `"latest"` or a number, of a store. Defaults to `None`: the newest, or `path`
            itself where it is a version.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it holds no model that `Retriever.export` wrote, or not this version.
    """
    return _checked(_candidate(Path(path), version))


@contextlib.contextmanager
def opened(path: str | Path, version: str | int | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What `find_version` finds, and its description; `Versions.prune` leaves it alone while the block runs.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it holds no model that `Retriever.export` wrote, or not this version, or that is damaged.
    """
    with held_for_reading(lambda: _candidate(Path(path), version)) as found:
        description = describe(_checked(found))
        if wrong := faults(found):
            raise ValueError(f"The model {found} is damaged and can't be loaded: {wrong[0]}. Export it again.")
        yield found, description


def _candidate(path: Path, version: str | int | None) -> Path:
    if version is not None:
        return Versions(path).resolve(version)
    if path.is_file() or (path / DESCRIPTION).exists():
        return _checked(path)
    numbers = Versions(path).numbers()
    return path / str(numbers[-1]) if numbers else path


def _checked(path: Path) -> Path:
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
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"{path / DESCRIPTION} is not of format {FORMAT}, version {FORMAT_VERSION}. Export the model again."
        )
    index = content.get("index")
    if "query_schema" not in content or not isinstance(index, dict) or "kind" not in index:
        raise ValueError(
            f"{path / DESCRIPTION} is damaged: it lacks 'query_schema' or 'index'. Export the model again."
        )
    return content
