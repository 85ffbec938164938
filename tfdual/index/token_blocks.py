"""Items of several vectors as they come in, checked, and given on without padding."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

ITEMS_AT_ONCE = 4_096
WANTED = "A MaxSimIndex needs embeddings of shape (items, tokens, dim), where a vector of zeros is no token"
ALSO = "An iterable of such blocks does as well, and so do ragged tensors"
Block = tuple[np.ndarray, np.ndarray]


class TokenBlocks:
    """Pairs of the tokens of some items, float32 `(tokens, dim)`, and how many each has, `(items,)`; walked once.

    Args:
        embeddings: an array or ragged tensor `(items, tokens, dim)`, or an iterable of such blocks.
        count: int. How many items are expected. Defaults to `None`: unknown.

    Raises:
        ValueError: another shape, no item, widths that differ, another number of items than expected, NaN, infinity,
            or an item without a token.
    """

    def __init__(self, embeddings: Any, count: int | None = None) -> None:
        self._blocks = _read(embeddings)
        self._count = count
        self._first = next(self._blocks, None)
        if self._first is None or not self._first[0].shape[1]:
            raise ValueError(f"{WANTED}. Received {'no item' if self._first is None else 'a width of 0'}. {ALSO}.")
        self.dim = self._first[0].shape[1]
        self.read = 0

    def matrix(self) -> np.ndarray:
        """All items at once, `(items, tokens, dim)` with zeros behind the tokens of those that have fewer."""
        rows, lengths = (np.concatenate(parts) for parts in zip(*self, strict=True))
        items = np.zeros((len(lengths), lengths.max(), self.dim), np.float32)
        items[np.arange(lengths.max()) < lengths[:, None]] = rows
        return items

    def __iter__(self) -> Iterator[Block]:
        block = self._first
        self._first = None
        while block is not None:
            yield self._checked(*block)
            block = next(self._blocks, None)
        if self._count is not None and self.read != self._count:
            raise ValueError(f"Each item needs one id. Received {self.read} embeddings and {self._count} ids.")

    def _checked(self, rows: np.ndarray, lengths: np.ndarray) -> Block:
        if rows.shape[1] != self.dim:
            raise ValueError(f"All embeddings have one width. Received {self.dim}, and {rows.shape[1]} after it.")
        rows, owner = np.asarray(rows, np.float32), np.repeat(np.arange(len(lengths)), lengths)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            item = self.read + int(owner[np.argmin(finite)])
            raise ValueError(f"The embedding of item {item} holds NaN or infinity. Train with a lower learning rate.")
        kept = rows.any(axis=1)
        lengths = np.bincount(owner[kept], minlength=len(lengths)).astype(np.int32)
        if not lengths.all():
            item = self.read + int(np.argmin(lengths))
            raise ValueError(f"Item {item} has no token: all of its vectors are zeros. Leave it out.")
        self.read += len(lengths)
        if self._count is not None and self.read > self._count:
            raise ValueError(f"Each item needs one id. Received {self._count} ids and more embeddings.")
        return rows[kept], lengths


def _read(embeddings: Any) -> Iterator[Block]:
    """Rows, padding among them, and how many each item has."""
    whole = hasattr(embeddings, "shape") or not isinstance(embeddings, Iterable)
    for block in [embeddings] if whole else embeddings:
        block = block if isinstance(block, tf.RaggedTensor) else np.asarray(block)
        if len(block.shape) != 3 or (isinstance(block, tf.RaggedTensor) and block.ragged_rank != 1):
            raise ValueError(f"{WANTED}. Received the shape {tuple(block.shape)}. {ALSO}.")
        for start in range(0, block.shape[0], ITEMS_AT_ONCE):
            part = block[start : start + ITEMS_AT_ONCE]
            if isinstance(part, tf.RaggedTensor):
                yield part.values.numpy(), part.row_lengths().numpy()
            else:
                items, tokens, dim = part.shape
                yield part.reshape(items * tokens, dim), np.full(items, tokens)
