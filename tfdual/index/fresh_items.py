"""Items that came after the index was built."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of_ascending
from tfdual.index.query_blocks import by_blocks

SCORES_AT_ONCE = 1 << 22  # of vectors with vectors; more are no faster
LAST = np.iinfo(np.int32).max


class FreshItems:
    """A few items and the positions that they stand for, scored all.

    The variables may have any number of rows, so that a graph that was traced before finds what came later. Items of
    several vectors have zeros behind theirs, up to the most that one has.

    Args:
        shape: of an item, `(dim,)`, or `(None, dim)` where it is several vectors.
        among: from prepared queries and items to the scores of all with all, `(batch, items)`.
    """

    def __init__(self, shape: Sequence[int | None], among: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._among = among
        self.size = 0
        none = tf.zeros([0, *(width or 0 for width in shape)])
        self._rows = tf.Variable(none, trainable=False, shape=[None, *shape])
        self._positions = tf.Variable(tf.zeros([0], tf.int32), trainable=False, shape=[None])

    @property
    def count(self) -> Tensor:
        """`size`, as an int32 scalar that a traced graph reads anew."""
        return tf.shape(self._positions.value())[0]

    @property
    def rows(self) -> np.ndarray:
        """`(items, ...)`, by position."""
        return self._rows.numpy()

    @property
    def positions(self) -> np.ndarray:
        """`(items,)`, ascending."""
        return self._positions.numpy()

    @property
    def variables(self) -> list[tf.Variable]:
        """Rows and positions."""
        return [self._rows, self._positions]

    def places(self, positions: Tensor) -> Tensor:
        """Which rows stand for the positions, int32 of any shape; -1 where none does."""
        held = tf.pad(self._positions.value(), [[0, 1]], constant_values=LAST)
        places = tf.reshape(tf.searchsorted(held, tf.reshape(positions, [-1])), tf.shape(positions))
        return tf.where(tf.equal(tf.gather(held, places), positions), places, -1)

    def put(self, positions: np.ndarray, rows: np.ndarray) -> None:
        """Add rows at positions, in place of those that stand there."""
        kept = ~np.isin(self.positions, positions)
        rows = np.concatenate(of_one_length([self.rows[kept], rows]))
        self._assign(np.concatenate([self.positions[kept], positions]), rows)

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
            queries: float32 `(batch, ...)`, prepared.
            k: int32 scalar.
            allowed: bool `(1, positions)` or `(batch, positions)`. None: all.
        """
        k = tf.minimum(k, self.count)
        vectors = (tf.shape(values, tf.int64)[:-1] for values in (queries[:1], self._rows.value()))
        products = tf.reduce_prod(tf.concat(list(vectors), axis=0))  # of one query
        at_once = tf.cast(tf.maximum(SCORES_AT_ONCE // tf.maximum(products, 1), 1), tf.int32)
        if allowed is None:
            return by_blocks(lambda queries: self._search(queries, k, None), [queries], k, at_once)
        allowed = tf.gather(allowed, self._positions, axis=1)
        allowed = tf.broadcast_to(allowed, [tf.shape(queries)[0], self.count])
        return by_blocks(lambda *block: self._search(block[0], k, block[1]), [queries, allowed], k, at_once)

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
        scores = self._among(queries, self._rows.value())
        if allowed is not None:
            scores = tf.where(allowed, scores, -float("inf"))
        return best_of_ascending(tf.broadcast_to(self._positions, tf.shape(scores)), scores, k)


def of_one_length(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Copies of items, `(items, ...)`, with zeros behind the vectors of those that have several but fewer."""
    most = np.max([part.shape[1:] for part in parts], axis=0)
    return [np.pad(part, [(0, 0), *((0, lacking) for lacking in most - part.shape[1:])]) for part in parts]
