"""Rows of a batch that hold the same are encoded once."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops

from tfdual._backend import distinct_rows, replicas
from tfdual._typing import Tensor


def encoded_once(
    encode: Callable[..., Tensor],
    inputs: dict[str, Tensor],
    ids: Tensor | None,
    training: bool | None,
    shared: int = 1,
) -> Tensor:
    """The embedding of each row; where ids are given, rows of one id get that of their first.

    Rows of the first ids are of anything unknown, or hashed, and get each their own.

    Args:
        encode: function of columns and `training` to embeddings.
        inputs: columns of the batch.
        ids: `(batch,)`. None: each row is encoded.
        training: bool or None.
        shared: int. How many first ids may each be of several values. Defaults to 1: 0, what is unknown.
    """
    if ids is None:
        return encode(inputs, training)
    first, own, _ = distinct_rows(told_apart(ids, shared))
    distinct = {name: tf.gather(values, first) for name, values in inputs.items()}
    return ops.take(encode(distinct, training), own, axis=0)


def told_apart(ids: Tensor, shared: int = 1) -> Tensor:
    """The ids as int64, with one of its own for each below `shared`, on all replicas; texts as they are."""
    if ids.dtype == tf.string:
        return ids
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group if replicas() > 1 else 0
    rows = tf.range(tf.size(ids, tf.int64)) + tf.cast(replica, tf.int64) * 2**32
    ids = tf.cast(ids, tf.int64)
    return tf.where(ids < shared, -1 - rows, ids)
