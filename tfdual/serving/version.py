"""One version of a store, and what it says of itself."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdual.serving.manifest import faults, read_manifest
from tfdual.serving.model_config import Labels

DESCRIPTION = Path("assets.extra") / "tfdual.json"
FORMAT = "tfdual.retriever"
FORMAT_VERSION = 1
WHOLE = "whole"
NOT_IN_SUMMARY = ("format", "version", "query_schema", "item_schema", "report")


@dataclass(frozen=True)
class Version:
    """One version of a store.

    Args:
        number: int.
        path: path. Its folder.
        published: str. When, in ISO 8601, UTC; empty where the version is damaged.
        size: int. Bytes of its files; 0 where the version is damaged.
        labels: tuple of str. The labels that name it.
        state: str. `"whole"`, or what is wrong with the sizes of its files; `Versions.verify` reads the files.
        summary: dict. Its description, without schemas and report.
    """

    number: int
    path: Path
    published: str
    size: int
    labels: tuple[str, ...]
    state: str
    summary: dict[str, Any]


def write_description(folder: Path, description: dict[str, Any]) -> None:
    """Keep what is known of a model, as plain JSON types, beside it."""
    (folder / DESCRIPTION).parent.mkdir(exist_ok=True)
    content = {"format": FORMAT, "version": FORMAT_VERSION, **description}
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_version(path: Path, labels: Labels) -> Version:
    """What the files of a version say of it; the large ones are not read."""
    named = tuple(label for label, numbers in labels.items() if numbers[0] == int(path.name))
    if wrong := faults(path, checksums=False):
        return Version(int(path.name), path, "", 0, named, "; ".join(wrong), {})
    manifest = read_manifest(path)
    size = sum(entry["size"] for entry in manifest["files"].values())
    try:
        description = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except ValueError as error:
        return Version(int(path.name), path, "", 0, named, f"{DESCRIPTION} is damaged: {error}", {})
    summary = {name: value for name, value in description.items() if name not in NOT_IN_SUMMARY}
    return Version(int(path.name), path, manifest.get("published", ""), size, named, WHOLE, summary)
