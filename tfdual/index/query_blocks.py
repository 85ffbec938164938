"""Many queries, a block at a time."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.seldom import seldom


def by_blocks(search: Callable[..., Found], arguments: Sequence[Tensor], width: Tensor, at_once: int | Tensor) -> Found:
    """What `search(*arguments)` gives, for at most `at_once` rows of the arguments at a time.

    Args:
        search: from tensors of some rows to positions and scores, `(rows, width)`.
        arguments: each `(rows, ...)`.
        width: int32 scalar.
        at_once: int or int32 scalar, at least 1.
    """
    rows = tf.shape(arguments[0])[0]
    return tf.cond(
        rows <= at_once,
        lambda: search(*arguments),
        seldom(lambda: _in_blocks(search, arguments, width, rows, at_once)),
    )


def _in_blocks(
    search: Callable[..., Found], arguments: Sequence[Tensor], width: Tensor, rows: Tensor, at_once: int | Tensor
) -> Found:
    """Blocks of equal size, two at a time; the last row is repeated where the last block lacks some."""
    blocks = -(-rows // at_once)
    block_rows = -(-rows // blocks)
    places = tf.minimum(tf.range(blocks * block_rows), rows - 1)

    def arranged(values: Tensor) -> Tensor:
        return tf.reshape(tf.gather(values, places), tf.concat([[blocks, block_rows], tf.shape(values)[1:]], axis=0))

    found = tf.map_fn(
        lambda block: search(*block),
        tuple(_with_shape(arranged(values), values) for values in arguments),
        parallel_iterations=2,
        fn_output_signature=(tf.int32, tf.float32),
    )
    positions, scores = (tf.reshape(part, [blocks * block_rows, width])[:rows] for part in found)
    return positions, scores


def _with_shape(blocks: Tensor, values: Tensor) -> Tensor:
    return tf.ensure_shape(blocks, [None, None, *values.shape[1:]])
