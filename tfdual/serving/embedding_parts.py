"""The files of a folder of item embeddings: Parquet parts, and the JSON that says which of them are whole."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tfdual.serving.manifest import flush_folder, write_flushed

FORMAT = "tfdual.item_embeddings"
VERSION = 1
FILE = "embeddings.json"
EMBEDDING = "embedding"
AGAIN = "Embed the items anew into another folder, or remove this one first."


@dataclass(frozen=True)
class Part:
    """A file of embeddings as it was written.

    Args:
        rows: int.
        bytes: int. Size of the file.
        sha256: str. Of the file.
        source: str. A hash of the rows that were embedded.
    """

    rows: int
    bytes: int
    sha256: str
    source: str


@dataclass
class Manifest:
    """What a folder of item embeddings holds.

    Args:
        space: str. The embedding space: equal where embeddings may be compared.
        source: str. A hash of the columns and number of the items.
        item_id: str. The id column.
        attributes: names of the attribute columns.
        rows: int. Items that are to be embedded.
        shard_rows: int. Rows of each part but the last.
        dim: int. Width of an embedding; None before the first part.
        complete: bool. Nothing is missing.
        parts: file name -> Part.
    """

    space: str
    source: str
    item_id: str
    attributes: list[str]
    rows: int
    shard_rows: int
    dim: int | None = None
    complete: bool = False
    parts: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a folder.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: it has no manifest, or one that is damaged, of another format or version.
        """
        path = folder / FILE
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {folder}. Make one with `tfdual.serving.embed_items`.")
        if not path.is_file():
            raise ValueError(f"{folder} holds no {FILE}. Give a folder that `tfdual.serving.embed_items` wrote.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}. {AGAIN}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(
                f"{path} is not of format {FORMAT}. Give a folder that `tfdual.serving.embed_items` wrote."
            )
        if content.get("version") != VERSION:
            raise ValueError(
                f"This release reads version {VERSION} of {FORMAT}. {path} has {content.get('version')!r}. "
                "Read it with the release that wrote it."
            )
        content = {name: value for name, value in content.items() if name not in ("format", "version")}
        try:
            return cls(**content | {"parts": {name: Part(**part) for name, part in content["parts"].items()}})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}. {AGAIN}") from error

    def write(self, folder: Path) -> None:
        """Put it in place of the earlier one: written aside, flushed, renamed."""
        aside = folder / f".{FILE}.writing"
        parts = {name: asdict(self.parts[name]) for name in sorted(self.parts)}
        content = {"format": FORMAT, "version": VERSION, **vars(self), "parts": parts}
        try:
            write_flushed(aside, json.dumps(content, indent=1) + "\n")
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        aside.replace(folder / FILE)

    @property
    def count(self) -> int:
        """Parts that there are in the end."""
        return -(-self.rows // self.shard_rows)

    def fault(self, folder: Path, number: int, checksum: bool = True) -> str:
        """What is wrong with a part; empty where it is whole.

        Args:
            folder: path.
            number: int. Which part.
            checksum: bool. Read it, instead of comparing its size alone. Defaults to `True`.
        """
        part = self.parts.get(name := part_name(number))
        if part is None:
            return "was not written yet"
        if part.rows != min(self.shard_rows, self.rows - number * self.shard_rows):
            return f"has {part.rows} rows"
        try:
            with (folder / name).open("rb") as file:
                if (size := os.fstat(file.fileno()).st_size) != part.bytes:
                    return f"has {size} bytes instead of {part.bytes}"
                if checksum and hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
                    return "has other bytes than were written"
        except OSError as error:
            return f"can't be read: {error.strerror}"
        return ""


def part_name(number: int) -> str:
    """The file name of a part."""
    return f"part-{number:05}.parquet"


def flush_parts(folder: Path, names: list[str]) -> None:
    """Wait until parts and their names are on the disk."""
    for name in names:
        descriptor = os.open(folder / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    flush_folder(folder)
