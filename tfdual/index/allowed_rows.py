"""Exact scores of the items that a mask leaves."""

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of_ascending, joined
from tfdual.index.distances import scores_among
from tfdual.index.kept_rows import rows_at
from tfdual.index.query_blocks import by_blocks

ROWS_AT_ONCE = 1 << 16
QUERIES_AT_ONCE = 512


def best_allowed(rows: tf.Variable, queries: Tensor, k: Tensor, allowed: Tensor, distance: str) -> Found:
    """The best `k` of each query among what it allows, exactly; -1 and -inf where it allows fewer.

    Only rows that some query allows are read.

    Args:
        rows: float32 `(items, dim)`.
        queries: float32 `(batch, dim)`, prepared.
        k: int32 scalar.
        allowed: bool `(1, items)` or `(batch, items)`.
        distance: str.
    """
    places = tf.cast(tf.where(tf.reduce_any(allowed, axis=0))[:, 0], tf.int32)  # (left,)

    def search(queries: Tensor, allowed: Tensor) -> Found:
        empty = tf.fill([tf.shape(queries)[0], k], -1), tf.fill([tf.shape(queries)[0], k], -float("inf"))

        def add(start: Tensor, *best: Tensor) -> tuple[Tensor, ...]:
            here = places[start : start + ROWS_AT_ONCE]
            scores = scores_among(queries, rows_at(rows, here), distance)
            scores = tf.where(tf.gather(allowed, here, axis=1), scores, -float("inf"))
            positions = tf.broadcast_to(here, tf.shape(scores))
            found = best_of_ascending(positions, scores, tf.minimum(k, tf.size(here)))
            return start + ROWS_AT_ONCE, *joined((best[0], best[1]), found, k)

        shape = tf.TensorShape([None, None])
        shapes = tf.TensorShape([]), shape, shape
        start = tf.constant(0)
        _, positions, scores = tf.while_loop(
            lambda start, *_: start < tf.size(places), add, (start, *empty), shapes, parallel_iterations=1
        )
        return positions, scores

    return tf.cond(
        tf.shape(allowed)[0] == 1,
        lambda: by_blocks(lambda queries: search(queries, allowed), [queries], k, QUERIES_AT_ONCE),
        lambda: by_blocks(search, [queries, allowed], k, QUERIES_AT_ONCE),
    )
