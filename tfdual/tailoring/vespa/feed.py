"""The documents of an application, one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfdual.index.item_ids import shown
from tfdual.tailoring.vespa.names import checked_text
from tfdual.tailoring.vespa.tensors import finite_floats
from tfdual.tailoring.vespa.vespa_index import VespaIndex
from tfdual.tailoring.vespa.vespa_items import EMBEDDING, VespaItems

LONGEST_ID = 65_536
UNIT_TOLERANCE = 1e-3


def write_feed(path: Path, items: VespaItems, index: VespaIndex, namespace: str, document: str) -> None:
    """Write the documents, block by block.

    Args:
        path: of the file.
        items: VespaItems.
        index: VespaIndex. What it asks of the embeddings is checked.
        namespace: str. Of the document ids.
        document: str. Their type.

    Raises:
        ValueError: an embedding that is not finite, of another width, or that the distance can't take; more or fewer of
            them than ids; an infinite attribute; text or an id that Vespa refuses.
    """
    with path.open("w", encoding="utf-8") as file:
        for fields in _documents(items, index):
            put = f"id:{namespace}:{document}::{fields[items.item_id]}"
            if len(put) > LONGEST_ID:
                raise ValueError(f"An id is at most {LONGEST_ID} characters long. Received {put[:80]!r}... Shorten it.")
            file.write(json.dumps({"put": put, "fields": fields}, allow_nan=False) + "\n")


def _documents(items: VespaItems, index: VespaIndex) -> Iterator[dict[str, Any]]:
    """The fields of each item."""
    done = 0
    for block in items.blocks():
        rows = slice(done, done := done + len(block))
        if done > len(items):
            break
        ids = items.ids[rows]
        texts = _vectors(block, ids, items.dim, index)
        columns = {name: values[rows].tolist() for name, values in items.attributes.items()}
        for place, (item, text) in enumerate(zip(ids, texts, strict=True)):
            attributes = {name: _value(name, values[place], item) for name, values in columns.items()}
            present = {name: value for name, value in attributes.items() if value is not None}
            yield {items.item_id: _id(item)} | present | {EMBEDDING: {"values": text}}
    if done != len(items):
        raise ValueError(f"There is one embedding for each id. Received {done} or more for {len(items)} ids.")


def _id(item: Any) -> int | str:
    return checked_text(item, f"The id {shown(item)!r}") if isinstance(item, bytes) else int(item)


def _value(name: str, value: Any, item: Any) -> Any:
    """An attribute as JSON; None where the item has none."""
    if isinstance(value, str | bytes):
        return checked_text(value, f"The attribute '{name}' of the item {shown(item)!r}")
    if isinstance(value, float):
        if np.isinf(value):
            raise ValueError(
                f"The attribute '{name}' of the item {shown(item)!r} is infinite, which JSON can't say. Clip it, or "
                "make it NaN: then it is left out."
            )
        return None if np.isnan(value) else value
    return value


def _vectors(block: np.ndarray, ids: np.ndarray, dim: int, index: VespaIndex) -> list[str]:
    """Each embedding as the hexadecimal digits of its floats, 8 a cell: exact, and half as long as decimal digits."""
    if block.ndim != 2 or block.shape[1] != dim:
        raise ValueError(f"Embeddings are (items, {dim}). Received the shape {block.shape}.")
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise ValueError(f"The embedding of the item {shown(ids[int(np.argmin(finite))])!r} holds NaN or infinity.")
    floats = finite_floats(block, "An embedding")
    if index.distance == "cosine":
        _check_lengths(np.linalg.norm(floats.astype(np.float64), axis=1), ids, index.unit_length)
    digits = floats.astype(">f4").tobytes().hex().upper()
    return [digits[start : start + 8 * dim] for start in range(0, len(digits), 8 * dim)]


def _check_lengths(lengths: np.ndarray, ids: np.ndarray, unit_length: bool) -> None:
    bad = np.abs(lengths - 1) > UNIT_TOLERANCE if unit_length else lengths == 0
    if bad.any():
        place = int(np.argmax(bad))
        wanted = "has length 1 with unit_length" if unit_length else "isn't all zeros with the cosine"
        raise ValueError(
            f"An embedding {wanted}. That of the item {shown(ids[place])!r} has length {lengths[place]:.6g}. Normalise "
            "it, leave the item out, or take another distance."
        )
