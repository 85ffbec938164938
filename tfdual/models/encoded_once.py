"""Rows of a batch that hold the same are encoded once."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops

from tfdual._backend import distinct_rows, replicas
from tfdual._typing import Tensor


def encoded_once(
    encode: Callable[..., Tensor], inputs: dict[str, Tensor], ids: Tensor | None, training: bool | None
) -> Tensor:
    """The embedding of each row; where ids are given, rows of one id get that of their first.

    Rows of the id 0 are of anything unknown, and get each their own.
    """
    if ids is None:
        return encode(inputs, training)
    first, own, _ = distinct_rows(told_apart(ids))
    distinct = {name: tf.gather(values, first) for name, values in inputs.items()}
    return ops.take(encode(distinct, training), own, axis=0)


def told_apart(ids: Tensor) -> Tensor:
    """The ids as int64, with a negative number of its own in place of each 0, on all replicas; texts as they are."""
    if ids.dtype == tf.string:
        return ids
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group if replicas() > 1 else 0
    rows = tf.range(tf.size(ids, tf.int64)) + tf.cast(replica, tf.int64) * 2**32
    ids = tf.cast(ids, tf.int64)
    return tf.where(ids == 0, -1 - rows, ids)
