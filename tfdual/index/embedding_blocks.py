"""Embeddings as they come in: one matrix, or an iterable of matrices; checked, and given on block by block."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfdual.index.distances import prepared_items

ROWS_AT_ONCE = 1 << 16
WANTED = "An index needs embeddings of shape (items, dim)"
BLOCKS = "An iterable of such blocks does as well"


class EmbeddingBlocks:
    """Float32 blocks of prepared rows, to be walked once.

    Args:
        embeddings: a matrix, or an iterable of matrices.
        distance: str. What the rows are prepared for.
        count: int. How many rows are expected. Defaults to `None`: unknown, unless it is a matrix.

    Raises:
        ValueError: no matrix, no row, rows of different widths or of another number than expected, NaN, infinity, or
            a row of zeros for the cosine.
    """

    def __init__(self, embeddings: Any, distance: str, count: int | None = None) -> None:
        self._blocks = _matrices(embeddings)
        self._distance = distance
        self._first = next(self._blocks, None)
        if self._first is None or not self._first.size:
            shape = "no block" if self._first is None else self._first.shape
            raise ValueError(f"{WANTED}. Received {shape}. {BLOCKS}.")
        self.dim = self._first.shape[1]
        self._is_whole = hasattr(embeddings, "shape")
        whole = len(self._first) if self._is_whole else None
        if whole is not None and count is not None and whole != count:
            raise ValueError(f"Each item needs one id. Received {whole} embeddings and {count} ids.")
        self.count = count if whole is None else whole
        self.read = 0

    @property
    def first(self) -> np.ndarray:
        """The whole matrix, or the first block, as it came; before they are walked."""
        assert self._first is not None
        return self._first

    def matrix(self) -> np.ndarray:
        """All rows at once, float32; what came as such a matrix and need not be changed is not copied."""
        given = self.first
        if self._is_whole and self._distance != "cosine" and given.dtype == np.float32 and given.flags.c_contiguous:
            for _ in self:  # checked on the way
                pass
            return given
        if self.count is None:
            return np.concatenate(list(self))
        rows = np.empty((self.count, self.dim), np.float32)
        for block in self:
            rows[self.read - len(block) : self.read] = block
        return rows

    def __iter__(self) -> Iterator[np.ndarray]:
        block = self._first
        self._first = None
        while block is not None:
            for start in range(0, len(block), ROWS_AT_ONCE):
                yield self._checked(block[start : start + ROWS_AT_ONCE])
            block = next(self._blocks, None)
        if self.count is not None and self.read != self.count:
            raise ValueError(f"Each item needs one id. Received {self.read} embeddings and {self.count} ids.")

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        if rows.shape[1] != self.dim:
            raise ValueError(f"All embeddings have one width. Received {self.dim}, and {rows.shape[1]} after it.")
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        if not np.isfinite(rows).all():
            row = self.read + int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise ValueError(f"The embedding of item {row} holds NaN or infinity. Train with a lower learning rate.")
        prepared = prepared_items(rows, self._distance, self.read)
        self.read += len(rows)
        if self.count is not None and self.read > self.count:
            raise ValueError(f"Each item needs one id. Received {self.count} ids and more embeddings.")
        return prepared


def _matrices(embeddings: Any) -> Iterator[np.ndarray]:
    whole = hasattr(embeddings, "shape") or not isinstance(embeddings, Iterable)
    for block in [embeddings] if whole else embeddings:
        matrix = np.asarray(block)
        if matrix.ndim != 2:
            raise ValueError(f"{WANTED}. Received {matrix.shape}. {BLOCKS}.")
        if matrix.size or whole:
            yield matrix
