"""An index as a folder of plain files."""

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfdual._aside import made_aside

FORMAT = "tfdual.index"
VERSION = 1
CONTENT = "index.json"


def write_folder(folder: str | Path, content: dict[str, Any], write: Callable[[Path], None]) -> Path:
    """Make a folder that is whole or not there: written aside, then renamed.

    Args:
        folder: path, of nothing yet.
        content: plain JSON types.
        write: takes the folder to write the other files into.

    Raises:
        FileExistsError: something stands there.
        OSError: it can't be written. Nothing is left behind.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} is there already. Save into a new folder, and remove the old one afterwards.")
    aside = folder.parent / f".writing-{folder.name}-{os.getpid()}"
    with made_aside(aside):
        write(aside)
        text = json.dumps({"format": FORMAT, "version": VERSION, **content}, indent=2)
        (aside / CONTENT).write_text(text + "\n", encoding="utf-8")
        aside.rename(folder)
    return folder


def read_index(folder: Path, kinds: Mapping[str, Any]) -> Any:
    """A saved index.

    Args:
        folder: path.
        kinds: mapping of name -> class of index.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no index of these kinds, or a damaged one.
    """
    content = _content(folder)
    kind = str(content.get("kind"))
    if kind not in kinds:
        raise ValueError(f"{folder} holds an index of kind {kind!r}. Known are {sorted(kinds)}.")
    try:
        return kinds[kind](**content["config"])._restore(folder, content)
    except (OSError, LookupError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"The index in {folder} is damaged: {error}. Save it again.") from error


def _content(folder: Path) -> dict[str, Any]:
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}. Write one with `index.save(folder)`.")
    try:
        content = json.loads((folder / CONTENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no saved index: {error}. Write one with `index.save(folder)`.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise ValueError(f"{folder / CONTENT} is not of format {FORMAT}, version {VERSION}. Save the index again.")
    return content
