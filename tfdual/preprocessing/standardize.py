"""Numbers to zero mean and unit variance."""

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, Values, flat
from tfdual.schema import ColumnSchema


class Standardize(Transform):
    """`(x - mean) / standard deviation`; a missing value (NaN) becomes the mean, 0.

    Mean and variance are of the population, gathered in float64 by batches. A constant column becomes 0.

    Reference: Chan, Golub and LeVeque, 1983, for the merging of batches
    """

    def __init__(self) -> None:
        self._count = 0
        self.mean = 0.0
        self._squares = 0.0

    def update(self, column: ColumnSchema, values: Values) -> None:
        """Merge the moments of one batch.

        Raises:
            ValueError: a value is infinite.
        """
        batch = flat(values).astype(np.float64)
        batch = batch[~np.isnan(batch)]
        if np.isinf(batch).any():
            raise ValueError(f"Column '{column.name}' holds infinite values. Replace them by a number or a null.")
        if not len(batch):
            return
        count, mean = len(batch), float(batch.mean())
        delta = mean - self.mean
        merged = self._count + count
        self._squares += float(((batch - mean) ** 2).sum()) + delta**2 * self._count * count / merged
        self.mean += delta * count / merged
        self._count = merged

    @property
    def standard_deviation(self) -> float:
        """Of the population; 1 for a constant column."""
        deviation = float(np.sqrt(self._squares / max(self._count, 1)))
        rounding = 8 * np.finfo(np.float64).eps * abs(self.mean)
        return deviation if deviation > rounding else 1.0

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32."""
        return ColumnSchema(column.name, column.tags, column.properties, "float32")

    def __call__(self, values: Tensor) -> Tensor:
        values = tf.cast(values, tf.float32)
        scaled = (values - self.mean) / self.standard_deviation
        return tf.where(tf.math.is_nan(values), tf.zeros_like(scaled), scaled)
