"""Numbers to zero mean and unit variance."""

from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import numbers
from tfdual.preprocessing.column_types import check_number, number
from tfdual.preprocessing.missing_values import floats
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


@register
class Standardize(Transform):
    """`(x - mean) / standard deviation`; a missing value becomes the mean, 0.

    Mean and variance are of the population, gathered in float64 by batches, and merged with those of later rows. A
    constant column becomes 0. Keras's `Normalization` computes in float32, where two timestamps of one minute are one.

    Raises:
        TypeError: the column holds strings or lists.
        ValueError: a value is infinite.

    Reference: Chan, Golub and LeVeque, 1983, for the merging of batches
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Merge the moments of one batch."""
        batch = numbers(column, values)
        if not len(batch):
            return
        mean = float(batch.mean())
        delta = mean - self.mean
        merged = self.count + len(batch)
        self._squares += float(((batch - mean) ** 2).sum()) + delta**2 * self.count * len(batch) / merged
        self.mean += delta * len(batch) / merged
        self.count = merged

    @property
    def standard_deviation(self) -> float:
        """Of the population; 1 for a constant column."""
        deviation = float(np.sqrt(self._squares / max(self.count, 1)))
        rounding = 8 * np.finfo(np.float64).eps * abs(self.mean)
        return deviation if deviation > rounding else 1.0

    def state(self) -> dict[str, Any]:
        """The moments."""
        return {"count": self.count, "mean": self.mean, "squares": self._squares}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the moments."""
        self.count, self.mean, self._squares = state["count"], state["mean"], state["squares"]

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32."""
        check_number(self, column)
        return number(column, "float32")

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        values = floats(column, values)
        scaled = (values - self.mean) / self.standard_deviation
        return tf.cast(tf.where(tf.math.is_nan(values), tf.constant(0.0, tf.float64), scaled), tf.float32)
