"""Functions of one number: bounds and logarithm."""

import math
from dataclasses import replace

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.column_types import check_number
from tfdual.preprocessing.constants import constant
from tfdual.preprocessing.missing_values import floats
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


@register
class Clip(Transform):
    """`min(max(x, low), high)`; a missing value stays missing.

    Args:
        low: float. The least value. Defaults to `None`: no bound.
        high: float. The greatest value. Defaults to `None`: no bound.

    Raises:
        ValueError: no bound, or `low` above `high`.
        TypeError: the column holds strings or lists.
    """

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        if low is None and high is None:
            raise ValueError("Clip needs a bound: low=..., high=..., or both. Received none.")
        if not (-math.inf if low is None else low) <= (math.inf if high is None else high):
            raise ValueError(f"Clip needs low <= high. Received low={low} and high={high}.")
        self.low = low
        self.high = high

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as floats."""
        return _floats(self, column)

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        values = floats(column, values, self.output(column).dtype)
        if self.low is not None:
            values = tf.where(values < self.low, constant(self.low, values.dtype), values)
        if self.high is not None:
            values = tf.where(values > self.high, constant(self.high, values.dtype), values)
        return values


@register
class Log1p(Transform):
    """`log(1 + x)`; what has no logarithm (x <= -1) becomes missing (NaN).

    Raises:
        TypeError: the column holds strings or lists.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as floats."""
        return _floats(self, column)

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        values = floats(column, values, self.output(column).dtype)
        return tf.math.log1p(tf.where(values > -1.0, values, tf.cast(math.nan, values.dtype)))


def _floats(transform: Transform, column: ColumnSchema) -> ColumnSchema:
    """Floats that hold every value of the column: the next step may need the digits."""
    check_number(transform, column)
    dtype = "float32" if column.dtype in ("float32", "bool") else "float64"
    return replace(column, dtype=dtype)
