"""Numbers and texts of a transform as tensors."""

import tensorflow as tf

from tfdual._typing import Tensor


def constant(value: float | str, dtype: tf.DType) -> Tensor:
    """A scalar of this type with all its digits; `tf.cast` of a Python float would leave those of a float32."""
    if dtype == tf.bool:
        return tf.constant(bool(value))
    return tf.constant(int(value) if dtype.is_integer else value, dtype)
