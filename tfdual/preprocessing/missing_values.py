"""Which values of a tensor are missing, and numbers as floats that keep what is missing."""

import tensorflow as tf

from tfdual._arrow_arrays import MISSING_INTEGER
from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema


def is_missing(column: ColumnSchema, values: Tensor) -> Tensor:
    """True where a value is missing: NaN, `""`, or -1 in a nullable column of integers."""
    if column.dtype.startswith("float"):
        return tf.math.is_nan(values)
    if column.dtype == "string":
        return values == ""
    if column.nullable and column.dtype.startswith("int"):
        return values == MISSING_INTEGER
    return tf.zeros_like(values, tf.bool)


def floats(column: ColumnSchema, values: Tensor, dtype: str = "float64") -> Tensor:
    """Numbers of a column in a type of floats; a missing one is NaN."""
    numbers = tf.cast(values, dtype)
    if column.nullable and column.dtype.startswith("int"):
        return tf.where(is_missing(column, values), tf.constant(float("nan"), dtype), numbers)
    return numbers
