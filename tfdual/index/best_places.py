"""Lists of positions and scores: the best of them, joined, and without what is not wanted."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor

Found = tuple[Tensor, Tensor]


def either(condition: Any, yes: Callable[[], Found], no: Callable[[], Found]) -> Found:
    """One of two searches: chosen now by a bool, or by the graph when it runs, by a tensor."""
    if isinstance(condition, bool):
        return yes() if condition else no()
    return tf.cond(condition, yes, lambda: tuple(tf.identity(part) for part in no()))


def best_of(positions: Tensor, scores: Tensor, k: Tensor) -> Found:
    """The best `k` of lists in any order; of equal scores the lower position comes first.

    Args:
        positions: int32 `(batch, n)`; where the score is -inf, nothing is there, and the position becomes -1.
        scores: float32 `(batch, n)`.
        k: int32 scalar, at most n.
    """
    order = tf.argsort(positions, axis=1)
    positions, scores = (tf.gather(values, order, batch_dims=1) for values in (positions, scores))
    return best_of_ascending(positions, scores, k)


def best_of_ascending(positions: Tensor, scores: Tensor, k: Tensor) -> Found:
    """The best `k` of lists by position."""
    best, places = tf.math.top_k(scores, k)
    return _marked(tf.gather(positions, places, batch_dims=1), best)


def joined(first: Found, second: Found, k: Tensor) -> Found:
    """The best `k` of two lists."""
    positions, scores = (tf.concat(pair, axis=1) for pair in zip(first, second, strict=True))
    return best_of(positions, scores, k)


def without(found: Found, exclude: Tensor, k: Tensor) -> Found:
    """The first `k` of lists, best first, that don't stand in `exclude`, int32 `(batch, n)`, padded with -1."""
    positions, scores = found
    ordered = tf.sort(tf.pad(exclude, [[0, 0], [0, 1]], constant_values=-1), axis=1)
    places = tf.minimum(tf.searchsorted(ordered, positions), tf.shape(ordered)[1] - 1)
    excluded = tf.equal(tf.gather(ordered, places, batch_dims=1), positions)
    return best_of_ascending(positions, tf.where(excluded, -float("inf"), scores), k)


def filled(found: Found, width: Tensor) -> Found:
    """Lists made as wide as `width`, with empty places at the end."""
    positions, scores = found
    lacking = [[0, 0], [0, width - tf.shape(scores)[1]]]
    return tf.pad(positions, lacking, constant_values=-1), tf.pad(scores, lacking, constant_values=-float("inf"))


def _marked(positions: Tensor, scores: Tensor) -> Found:
    return tf.where(tf.equal(scores, -float("inf")), -1, positions), scores
