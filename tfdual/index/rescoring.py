"""Candidates of a rough search, scored again exactly."""

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of
from tfdual.index.distances import scores_of
from tfdual.index.kept_rows import rows_at
from tfdual.index.query_blocks import by_blocks

VALUES_AT_ONCE = 1 << 24  # 64 MiB


def rescored(rows: tf.Variable, queries: Tensor, positions: Tensor, k: Tensor, distance: str) -> Found:
    """The best `k` of each query's candidates, in float32.

    Args:
        rows: float32 `(items, dim)`.
        queries: float32 `(batch, dim)`.
        positions: int32 `(batch, candidates)`; -1 where there is none.
        k: int32 scalar, at most as many.
        distance: str.
    """

    def score(queries: Tensor, positions: Tensor) -> Found:
        candidates = rows_at(rows, tf.maximum(positions, 0))  # (block, candidates, dim)
        scores = scores_of(queries, candidates, distance)
        return best_of(positions, tf.where(positions < 0, -float("inf"), scores), k)

    at_once = tf.maximum(VALUES_AT_ONCE // tf.maximum(tf.shape(positions)[1] * rows.shape[1], 1), 1)
    return by_blocks(score, [queries, positions], k, at_once)
