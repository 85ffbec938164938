"""Numbers to the range 0 to 1."""

import math
from typing import Any

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
class MinMax(Transform):
    """`(x - smallest) / (largest - smallest)`; a missing value becomes 0.

    The range is that of all rows seen, later ones too. A constant column becomes 0.

    Args:
        clip: bool. A value outside the range becomes 0 or 1. Defaults to `True`.

    Raises:
        TypeError: the column holds strings or lists.
        ValueError: a value is infinite.
    """

    def __init__(self, clip: bool = True) -> None:
        self.clip = clip
        self.smallest = math.inf
        self.largest = -math.inf

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Widen the range by one batch."""
        batch = numbers(column, values)
        if len(batch):
            self.smallest = min(self.smallest, float(batch.min()))
            self.largest = max(self.largest, float(batch.max()))

    def state(self) -> dict[str, Any]:
        """The range; none before any value was seen."""
        return {"range": [self.smallest, self.largest] if self.smallest <= self.largest else []}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the range."""
        self.smallest, self.largest = state["range"] or (math.inf, -math.inf)

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32."""
        check_number(self, column)
        return number(column, "float32")

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        values = floats(column, values)
        low = self.smallest if self.smallest <= self.largest else 0.0
        width = self.largest - self.smallest if self.smallest < self.largest else 1.0
        scaled = (values - low) / width
        if self.clip:
            scaled = tf.clip_by_value(scaled, 0.0, 1.0)
        return tf.cast(tf.where(tf.math.is_nan(values), tf.zeros_like(scaled), scaled), tf.float32)
