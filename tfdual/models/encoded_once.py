"""Rows of a batch that hold the same are encoded once."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops

from tfdual._backend import distinct_rows
from tfdual._typing import Tensor


def encoded_once(
    encode: Callable[..., Tensor], inputs: dict[str, Tensor], ids: Tensor | None, training: bool | None
) -> Tensor:
    """The embedding of each row; where ids are given, rows of one id get that of their first."""
    if ids is None:
        return encode(inputs, training)
    first, own, _ = distinct_rows(ids)
    distinct = {name: tf.gather(values, first) for name, values in inputs.items()}
    return ops.take(encode(distinct, training), own, axis=0)
