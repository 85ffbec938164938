"""Exact search."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.index import Index


class BruteForce(Index):
    """Score every item; exact, and in plain TensorFlow, so that any TensorFlow Serving runs it.

    Example:
        >>> index = BruteForce().build(np.eye(3))
        >>> scores, positions = index.search(tf.constant([[0.0, 2.0, 1.0]]), k=2)
        >>> positions.numpy().tolist()
        [[1, 2]]
    """

    def _build(self, embeddings: np.ndarray) -> None:
        self._embeddings = tf.Variable(embeddings, trainable=False, name="embeddings")

    def _search(self, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        scores = tf.matmul(tf.cast(queries, tf.float32), self._embeddings, transpose_b=True)  # (batch, items)
        return tf.math.top_k(scores, k)

    @property
    def resources(self) -> list[Any]:
        """The embeddings."""
        return [self._embeddings]

    def describe(self) -> dict[str, Any]:
        """Kind and settings, as plain JSON types."""
        return {"kind": "BruteForce", "items": self.size, "dim": self.dim}
