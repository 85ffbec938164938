"""Items that queries are scored against."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keras import ops


@dataclass(frozen=True)
class Items:
    """Embedded items, which item each is, and how they came to be there.

    Args:
        embedding: `(items, dim)`, or `(items, vectors, dim)`.
        ids: int `(items,)`. Equal where two are the same item.
        log_probability: `(items,)` float32, natural logarithm of how often the item is expected here, up to a constant.
            Defaults to `None`: unknown.
        mask: bool `(items,)`. False: nothing stands at this place. Defaults to `None`: all are there.
        row: int32 `(items,)`. The one row of the batch whose query has the item as a candidate; -1: all have. Defaults
            to `None`: all have each.
    """

    embedding: Any
    ids: Any
    log_probability: Any | None = None
    mask: Any | None = None
    row: Any | None = None


def join_items(parts: Sequence[Items]) -> Items | None:
    """All items, one part after another; None where there is no part.

    The embeddings take the type of the first. A part without a mask is there as a whole. The log-probability is None
    unless each part has one.
    """
    if len(parts) < 2:
        return parts[0] if parts else None
    dtype = parts[0].embedding.dtype
    probabilities = [part.log_probability for part in parts]
    masks, rows = [part.mask for part in parts], [part.row for part in parts]
    return Items(
        joined_embeddings([ops.cast(part.embedding, dtype) for part in parts]),
        ops.concatenate([ops.cast(part.ids, "int64") for part in parts]),
        None if any(part is None for part in probabilities) else ops.concatenate(probabilities),
        None if all(mask is None for mask in masks) else ops.concatenate([_whole_mask(part) for part in parts]),
        None if all(row is None for row in rows) else ops.concatenate([row_of(part) for part in parts]),
    )


def joined_embeddings(parts: Sequence[Any]) -> Any:
    """All rows, one part after another; where a row is several vectors, filled up with zeros to the most of all."""
    if len(parts[0].shape) == 2:
        return ops.concatenate(parts)
    most = functools.reduce(ops.maximum, [ops.shape(part)[1] for part in parts])
    return ops.concatenate([ops.pad(part, [[0, 0], [0, most - ops.shape(part)[1]], [0, 0]]) for part in parts])


def keep_items(items: Items, kept: Any) -> Items:
    """The items with nothing at the places where `kept`, bool `(items,)`, is false."""
    return replace(items, mask=kept if items.mask is None else ops.logical_and(items.mask, kept))


def row_of(items: Items) -> Any:
    """The one row that has each item as a candidate, int32 `(items,)`; -1: all have."""
    return ops.full_like(items.ids, -1, dtype="int32") if items.row is None else ops.cast(items.row, "int32")


def _whole_mask(items: Items) -> Any:
    return ops.ones_like(items.ids, dtype="bool") if items.mask is None else ops.cast(items.mask, "bool")
