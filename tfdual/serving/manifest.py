"""The manifest of a version: which files it has, of what size, with which checksum."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MANIFEST = Path("assets.extra") / "manifest.json"


def write_manifest(folder: Path) -> None:
    """Write down every file below `folder`, and flush all of it to the disk, names included."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            files[path.relative_to(folder).as_posix()] = {"size": file.tell(), "sha256": digest}
    content = {"published": datetime.now(UTC).isoformat(timespec="seconds"), "files": files}
    (folder / MANIFEST).parent.mkdir(exist_ok=True)
    write_flushed(folder / MANIFEST, json.dumps(content, indent=2) + "\n")
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            flush_folder(path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a version.

    Raises:
        FileNotFoundError: it has none.
        ValueError: it is damaged.
    """
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = content.get("files") if isinstance(content, dict) else None
    if not (isinstance(files, dict) and all(isinstance(entry, dict) for entry in files.values())):
        raise ValueError("it lists no files")
    return content


def faults(folder: Path, checksums: bool = True) -> list[str]:
    """What is wrong with the files of a version; empty where it is whole.

    Files beside those of the manifest, such as a file manager's, are no fault.

    Args:
        folder: path. The version.
        checksums: bool. Read each file, instead of comparing sizes alone. Defaults to `True`.
    """
    try:
        files = read_manifest(folder)["files"]
    except OSError as error:
        return [f"{MANIFEST} can't be read: {error.strerror}"]
    except ValueError as error:
        return [f"{MANIFEST} is damaged: {error}"]
    found = (_fault(folder / name, entry, checksums) for name, entry in sorted(files.items()))
    return [f"{name} {fault}" for name, fault in zip(sorted(files), found, strict=True) if fault]


def _fault(path: Path, entry: dict[str, Any], checksum: bool) -> str:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != entry.get("size"):
                return f"has {size} bytes instead of {entry.get('size')}"
            if checksum and hashlib.file_digest(file, "sha256").hexdigest() != entry.get("sha256"):
                return "has other bytes than were published"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return ""


def write_flushed(path: Path, text: str) -> None:
    """Write a text file, and wait until it is on the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
