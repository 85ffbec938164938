"""What every index is."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor


class Index(ABC):
    """Item embeddings -> the nearest of a query by inner product.

    Items are named by their position in the embeddings. `search` is a TensorFlow function of its arguments and of
    `resources`, so that it can be saved inside a served graph.
    """

    _size = 0

    def build(self, embeddings: np.ndarray) -> Self:
        """Index these embeddings, `(items, dim)`, and return the index itself.

        Raises:
            ValueError: not a matrix, no item, or values that are no numbers.
        """
        embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
        if embeddings.ndim != 2 or not embeddings.size:
            raise ValueError(f"An index needs embeddings of shape (items, dim). Received {embeddings.shape}.")
        if not np.isfinite(embeddings).all():
            row = int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])
            raise ValueError(f"The embedding of item {row} holds NaN or infinity. Train with a lower learning rate.")
        self._size, self._dim = embeddings.shape
        self._build(embeddings)
        return self

    @property
    def size(self) -> int:
        """Items in the index."""
        return self._size

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._dim

    def search(self, queries: Tensor, k: int | Tensor, exclude: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The best `k` items of each query, best first.

        Args:
            queries: `(batch, dim)`.
            k: int or int32 scalar. At most all items are returned.
            exclude: int `(batch, n)`, positions that are not to be returned, padded with -1. Each query still gets
                `k` items where so many are left. Defaults to `None`.

        Returns:
            Scores and positions, both `(batch, k)`; places that could not be filled have score -inf, position -1.

        Raises:
            ValueError: the index is not built.
        """
        if not self._size:
            raise ValueError("The index holds no item yet. Call `build(embeddings)` first.")
        k = tf.minimum(tf.cast(k, tf.int32), self._size)
        if exclude is None:
            return self._search(queries, k)
        exclude = tf.pad(tf.cast(exclude, tf.int32), [[0, 0], [0, 1]], constant_values=-1)  # never empty
        wider = tf.minimum(k + tf.shape(exclude)[1], self._size)
        scores, positions = self._search(queries, wider)
        scores = tf.where(_among(positions, exclude), -np.inf, scores)
        best, places = tf.math.top_k(scores, k)
        return best, tf.where(tf.math.is_inf(best), -1, tf.gather(positions, places, batch_dims=1))

    @property
    @abstractmethod
    def resources(self) -> list[Any]:
        """TensorFlow objects that a SavedModel must keep."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Kind and settings, as plain JSON types."""

    @abstractmethod
    def _build(self, embeddings: np.ndarray) -> None: ...

    @abstractmethod
    def _search(self, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]: ...


def _among(positions: Tensor, exclude: Tensor) -> Tensor:
    """Whether each position is in its row of `exclude`, by binary search."""
    ordered = tf.sort(exclude, axis=1)
    places = tf.minimum(tf.searchsorted(ordered, positions), tf.shape(ordered)[1] - 1)
    return tf.equal(tf.gather(ordered, places, batch_dims=1), positions)
