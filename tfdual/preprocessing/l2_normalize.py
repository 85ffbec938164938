"""Vectors to length 1."""

from dataclasses import replace

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema


@register
class L2Normalize(Transform):
    """`x / |x|`, computed in float64; a vector of zeros stays one.

    Raises:
        TypeError: the column holds no vectors of a fixed width.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32."""
        if column.width is None or not column.dtype.startswith("float"):
            raise refusal(self, "vectors of a fixed width", column, "Give the column float32 and dims=(None, width).")
        return replace(column, dtype="float32")

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        values = tf.cast(values, tf.float64)
        return tf.cast(tf.math.divide_no_nan(values, tf.norm(values, axis=-1, keepdims=True)), tf.float32)
