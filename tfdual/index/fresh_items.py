"""Items that came after the index was built."""

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of_ascending
from tfdual.index.distances import scores_among
from tfdual.index.query_blocks import by_blocks

SCORES_AT_ONCE = 1 << 26


class FreshItems:
    """A few rows and the positions that they stand for, scored all.

    The variables may have any number of rows, so that a graph that was traced before finds what came later.

    Args:
        dim: int.
        distance: str.
    """

    def __init__(self, dim: int, distance: str) -> None:
        self._distance = distance
        self.size = 0
        self._rows = tf.Variable(tf.zeros([0, dim]), trainable=False, shape=[None, dim])
        self._positions = tf.Variable(tf.zeros([0], tf.int32), trainable=False, shape=[None])

    @property
    def count(self) -> Tensor:
        """`size`, as an int32 scalar that a traced graph reads anew."""
        return tf.shape(self._positions.value())[0]

    @property
    def rows(self) -> np.ndarray:
        """`(items, dim)`, by position."""
        return self._rows.numpy()

    @property
    def positions(self) -> np.ndarray:
        """`(items,)`, ascending."""
        return self._positions.numpy()

    @property
    def variables(self) -> list[tf.Variable]:
        """Rows and positions."""
        return [self._rows, self._positions]

    def put(self, positions: np.ndarray, rows: np.ndarray) -> None:
        """Add rows at positions, in place of those that stand there."""
        kept = ~np.isin(self.positions, positions)
        self._assign(np.concatenate([self.positions[kept], positions]), np.concatenate([self.rows[kept], rows]))

    def remove(self, positions: np.ndarray) -> None:
        """Leave out the rows at these positions."""
        kept = ~np.isin(self.positions, positions)
        self._assign(self.positions[kept], self.rows[kept])

    def _assign(self, positions: np.ndarray, rows: np.ndarray) -> None:
        order = np.argsort(positions)
        self._rows.assign(rows[order].astype(np.float32))
        self._positions.assign(positions[order].astype(np.int32))
        self.size = len(positions)

    def search(self, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
        """Positions and scores of the best `k`, at most all.

        Args:
            queries: float32 `(batch, dim)`, prepared.
            k: int32 scalar.
            allowed: bool `(1, positions)` or `(batch, positions)`. None: all.
        """
        k = tf.minimum(k, self.count)
        at_once = tf.maximum(SCORES_AT_ONCE // tf.maximum(self.count, 1), 1)
        if allowed is None:
            return by_blocks(lambda queries: self._search(queries, k, None), [queries], k, at_once)
        allowed = tf.gather(allowed, self._positions, axis=1)
        allowed = tf.broadcast_to(allowed, [tf.shape(queries)[0], self.count])
        return by_blocks(lambda *block: self._search(block[0], k, block[1]), [queries, allowed], k, at_once)

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
        scores = scores_among(queries, self._rows, self._distance)
        if allowed is not None:
            scores = tf.where(allowed, scores, -float("inf"))
        return best_of_ascending(tf.broadcast_to(self._positions, tf.shape(scores)), scores, k)
