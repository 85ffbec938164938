"""Numbers to ids of the range that they lie in."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import numbers
from tfdual.preprocessing.column_types import check_number, ids
from tfdual.preprocessing.missing_values import floats
from tfdual.preprocessing.quantile_sketch import QuantileSketch
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


@register
class Buckets(Transform):
    """Numbers -> 1 for `x < boundaries[0]`, 2 for `boundaries[0] <= x < boundaries[1]`, and so on; 0 is missing.

    Compared in float64: Keras's `Discretization` compares in float32, and has no id for a missing value.

    Args:
        boundaries: sequence of float, ascending. `n` of them make `n + 1` ranges.

    Raises:
        ValueError: no boundary, or not ascending.
        TypeError: the column holds strings or lists.
    """

    def __init__(self, boundaries: Sequence[float]) -> None:
        self.boundaries = [float(boundary) for boundary in boundaries]
        if not self.boundaries or not all(low < high for low, high in itertools.pairwise(self.boundaries)):
            raise ValueError(f"Buckets needs boundaries that ascend, at least one. Received {list(boundaries)}.")

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A categorical column."""
        check_number(self, column)
        return ids(column, len(self.boundaries) + 2)

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return _range_of(floats(column, values), self.boundaries)


@register
class QuantileBuckets(Transform):
    """Numbers -> `1 .. buckets`, each range holding about as many rows; 0 is missing.

    Quantiles are those of a `QuantileSketch`, which states its error. A value that fills several ranges is in the last
    of them. Later rows move the boundaries: the ids of a column that is adapted again have a new meaning.

    Args:
        buckets: int. Number of ranges. Defaults to 10.

    Raises:
        ValueError: fewer than 2 buckets; a value is infinite.
        TypeError: the column holds strings or lists.
    """

    def __init__(self, buckets: int = 10) -> None:
        if buckets < 2:
            raise ValueError(f"QuantileBuckets needs at least 2 buckets. Received {buckets}.")
        self.buckets = buckets
        self.boundaries: list[float] = []
        self._sketch = QuantileSketch()

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Add one batch to the sketch."""
        self._sketch.add(numbers(column, values))

    def finish(self) -> None:
        """Take the quantiles for boundaries."""
        self.boundaries = self._sketch.quantiles(np.arange(1, self.buckets) / self.buckets).tolist()

    def state(self) -> dict[str, Any]:
        """The sketch."""
        levels = [
            pa.table({"value": part, "level": np.full(len(part), i)}) for i, part in enumerate(self._sketch.levels)
        ]
        return {"sketch": pa.concat_tables(levels)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the sketch."""
        values, levels = (state["sketch"][name].to_numpy() for name in ("value", "level"))
        self._sketch.levels = [values[levels == i] for i in range(int(levels.max(initial=0)) + 1)]
        self.finish()

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A categorical column."""
        check_number(self, column)
        return ids(column, self.buckets + 1)

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return _range_of(floats(column, values), self.boundaries)


def _range_of(values: Tensor, boundaries: list[float]) -> Tensor:
    found = tf.searchsorted(tf.constant(boundaries, tf.float64), values, side="right", out_type=tf.int64) + 1
    return tf.where(tf.math.is_nan(values), tf.zeros_like(found), found)
