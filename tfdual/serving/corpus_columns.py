"""What a corpus must hold to be indexed and served, whichever model embeds it."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index import Index


def single_valued(batch: dict[str, Tensor], name: str, what: str) -> Tensor:
    """A column of single values.

    Raises:
        ValueError: the items lack it, or it holds lists or vectors.
    """
    if name not in batch or batch[name].shape.rank != 1:
        raise ValueError(f"The {what} '{name}' must be a single-valued column of the items. They have {sorted(batch)}.")
    return batch[name]


def filterable(batch: dict[str, Tensor], name: str) -> Tensor:
    """A column that an expression can name and compare.

    Raises:
        ValueError: the items lack it, it holds vectors, or its name is no identifier.
    """
    if name not in batch or (not isinstance(batch[name], tf.RaggedTensor) and batch[name].shape.rank != 1):
        raise ValueError(
            f"The items can't be filtered by '{name}': it must be a column of single values or lists. They have "
            f"{sorted(batch)}."
        )
    if not name.isidentifier():
        raise ValueError(f"A column to filter by is named in expressions, such as `year >= 1990`. Rename '{name}'.")
    return batch[name]


def kept_columns(batch: dict[str, Tensor], attributes: Iterable[str], filters: Iterable[str]) -> dict[str, Tensor]:
    """The columns to return and those to filter by; a column may be both.

    Raises:
        ValueError: an attribute isn't single-valued; a filter isn't filterable.
    """
    returned = {name: single_valued(batch, name, "attribute") for name in attributes}
    return returned | {name: filterable(batch, name) for name in filters}


def joined(parts: list[Tensor]) -> np.ndarray | tf.RaggedTensor:
    """A column of all batches."""
    if isinstance(parts[0], tf.RaggedTensor):
        return tf.concat(parts, axis=0)
    return np.concatenate([part.numpy() for part in parts])


def require_different(ids: np.ndarray, item_id: str) -> None:
    """Raise where an id stands twice.

    Raises:
        ValueError: one does.
    """
    if len(np.unique(ids)) < len(ids):
        raise ValueError(f"Item ids must differ; the column '{item_id}' repeats some. Use `rows.unique(by=...)`.")


def require_same_ids(index: Index, ids: np.ndarray) -> None:
    """Raise unless a built index holds these items, in this order.

    Raises:
        ValueError: it holds others, or in another order.
    """
    if index.items.position_count != index.size or not np.array_equal(index.ids, ids):
        raise ValueError(
            f"The index holds {index.size} items, others than the {len(ids)} given or in another order. Give the items "
            "that it was built of, or an index that isn't built."
        )
