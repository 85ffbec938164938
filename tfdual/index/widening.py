"""An approximate search that goes on until enough is found."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of_ascending, either, filled
from tfdual.index.seldom import seldom

SLACK = 1.2


def widened(
    search: Callable[[Tensor, Tensor], Found],
    k: Tensor,
    items: int,
    leaves: tuple[int, int],
    allowed: Tensor | None,
    count: Tensor | None,
) -> Found:
    """The best `k` that are allowed, from more leaves and longer lists each time; all items in the end.

    Args:
        search: from `width` and `leaves` to positions and scores, `(batch, width)`, best first; -1 and -inf where
            those leaves hold fewer.
        k: int32 scalar, at most `items`.
        items: int.
        leaves: pair of int: how many to search first, and all.
        allowed: bool `(1, items)` or `(batch, items)`. None: all.
        count: int32 scalar, how many are allowed where that is known. None: they are counted.
    """
    if allowed is None:
        # Where all may be found, the first leaves nearly always hold enough, and no list needs another order.
        leaves_now = first_leaves(k, items, leaves)
        found = search(k, leaves_now)
        lacking = tf.reduce_any(found[0] < 0)
        if isinstance(leaves_now, int):
            lacking = bool(lacking)
        return either(lacking, seldom(lambda: _widened(search, k, items, leaves, None, None)), lambda: found)
    return _widened(search, k, items, leaves, allowed, count)


def _widened(
    search: Callable[[Tensor, Tensor], Found],
    k: Tensor,
    items: int,
    leaves: tuple[int, int],
    allowed: Tensor | None,
    count: Tensor | None,
) -> Found:
    _, every = leaves
    wanted, width = _wanted(k, items, allowed, count)

    def attempt(width: Tensor, leaves: Tensor) -> Found:
        positions, scores = search(width, leaves)
        if allowed is not None:
            scores = tf.where(_at(allowed, positions), scores, -float("inf"))
        positions, scores = best_of_ascending(positions, scores, tf.minimum(k, width))
        return filled((positions, scores), k)

    def lacks(width: Tensor, leaves: Tensor, positions: Tensor, scores: Tensor) -> Tensor:
        found = tf.reduce_sum(tf.cast(positions >= 0, tf.int32), axis=1)
        more = tf.logical_or(leaves < every, width < items)
        return tf.logical_and(more, tf.reduce_any(found < wanted))

    def widen(width: Tensor, leaves: Tensor, positions: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        width = tf.minimum(4 * width, items) if allowed is not None else width
        # Longer lists of all leaves are the last thing to do; where all may be found, leaves alone lack.
        leaves = tf.minimum(4 * leaves, every)
        return width, leaves, *attempt(width, leaves)

    leaves_now = tf.convert_to_tensor(first_leaves(width, items, leaves), tf.int32)
    shape = tf.TensorShape([None, None])
    _, _, positions, scores = tf.while_loop(
        lacks,
        widen,
        (width, leaves_now, *attempt(width, leaves_now)),
        (tf.TensorShape([]), tf.TensorShape([]), shape, shape),
        parallel_iterations=1,
    )
    return positions, scores


def first_leaves(width: Any, items: int, leaves: tuple[int, int]) -> Any:
    """How many leaves to search: twice as many as lists of `width` fill. An int of an eager width, or a tensor."""
    first, every = leaves
    items_a_list = max(1, items // (2 * every))
    if tf.executing_eagerly():
        return min(max(int(width) // items_a_list + 1, first), every)
    return tf.minimum(tf.maximum(width // items_a_list + 1, first), every)


def _wanted(k: Tensor, items: int, allowed: Tensor | None, count: Tensor | None) -> tuple[Tensor, Tensor]:
    """How many each query is to find, and how long a list to begin with, so that so many of it are allowed."""
    if allowed is None:
        return k, k
    counts = tf.reduce_sum(tf.cast(allowed, tf.int32), axis=1) if count is None else count[None]  # (1 or batch,)
    least = tf.reduce_min(tf.where(counts > 0, counts, items))
    share = tf.cast(items, tf.float64) / tf.cast(least, tf.float64)
    width = tf.cast(tf.math.ceil(SLACK * share * tf.cast(k, tf.float64)), tf.int32) + 10
    return tf.minimum(k, counts), tf.minimum(width, items)


def _at(allowed: Tensor, positions: Tensor) -> Tensor:
    """Whether the positions, `(batch, n)`, are allowed; -1 is not."""
    rows = tf.minimum(tf.range(tf.shape(positions)[0]), tf.shape(allowed)[0] - 1)
    places = tf.stack([tf.broadcast_to(rows[:, None], tf.shape(positions)), tf.maximum(positions, 0)], axis=-1)
    return tf.logical_and(positions >= 0, tf.gather_nd(allowed, places))
