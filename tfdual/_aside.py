"""Folders written aside, so that nobody sees half of one; and what they say they hold."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

VERSION = 1  # of what `write_folder` writes


@contextlib.contextmanager
def made_aside(aside: Path) -> Iterator[None]:
    """Make the folder `aside`, for the block to fill and rename.

    If the block fails, the folder goes again, and so do the folders above it that had to be made.
    """
    made = [path for path in aside.parents if not path.exists()]
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.mkdir()
        yield
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
        raise


def write_folder(folder: str | Path, kind: str, content: dict[str, Any], write: Callable[[Path], None]) -> Path:
    """Write a folder aside, then rename it.

    Args:
        folder: path, of nothing yet.
        kind: str. What it holds, such as `"index"`; its JSON file is called so.
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
        text = json.dumps({"format": f"tfdual.{kind}", "version": VERSION, **content}, indent=2)
        (aside / f"{kind}.json").write_text(text + "\n", encoding="utf-8")
        aside.rename(folder)
    return folder


def read_content(folder: str | Path, kind: str) -> dict[str, Any]:
    """The JSON file of a folder of this kind.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds nothing of this kind, or a damaged file.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}. Write one with `save(folder)`.")
    try:
        content = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no saved {kind}: {error}. Write one with `save(folder)`.") from error
    if not isinstance(content, dict) or content.get("format") != f"tfdual.{kind}" or content.get("version") != VERSION:
        raise ValueError(f"{folder / kind}.json is not of format tfdual.{kind}, version {VERSION}. Save it again.")
    return content
