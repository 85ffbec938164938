"""A value for what is missing, and a column that says where."""

from typing import Any

import pyarrow as pa
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import numbers
from tfdual.preprocessing.column_types import number
from tfdual.preprocessing.constants import constant
from tfdual.preprocessing.missing_values import is_missing
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema, Tags

SIDES = {Tags.USER, Tags.ITEM, Tags.CONTEXT, Tags.SESSION}


@register
class FillMissing(Transform):
    """Put `value` where a value is missing.

    A missing float is NaN, a missing string is `""`, and a missing integer is -1 in a column whose property
    `"nullable"` is set. Integers that are dense count as floats.

    Args:
        value: number or str. `"mean"` in a column of numbers: the mean of those seen. `None`: leave them missing, for
            a `Standardize` behind. Defaults to 0.
        indicator: bool. Also give `<name>_missing`, 1 where a value was missing and 0 elsewhere. Defaults to `False`.

    Raises:
        ValueError: nothing to do: no value and no indicator.
        TypeError: the column is a list, or the value is not of its type.
    """

    def __init__(self, value: float | str | None = 0, indicator: bool = False) -> None:
        if value is None and not indicator:
            raise ValueError("FillMissing(None) changes nothing. Give a value, or indicator=True.")
        self.value = value
        self.indicator = indicator
        self._count = 0
        self._sum = 0.0

    @property
    def learns(self) -> bool:
        return self.value == "mean"

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Add up one batch."""
        batch = numbers(column, values)
        self._count += len(batch)
        self._sum += float(batch.sum())

    def state(self) -> dict[str, Any]:
        """Sum and count."""
        return {"count": self._count, "sum": self._sum}

    def restore(self, state: dict[str, Any]) -> None:
        """Take sum and count."""
        self._count, self._sum = state["count"], state["sum"]

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column, in which nothing is missing."""
        if column.is_list:
            raise refusal(self, "one value a row", column, "A missing list is empty.")
        if self.learns:
            if not column.dtype.startswith("float"):
                raise refusal(self, "floats for the mean", column, "Give a value, or make the column float32.")
        elif isinstance(self.value, str) if column.dtype != "string" else not isinstance(self.value, str | None):
            raise refusal(self, f"a column of the type of its value {self.value!r}", column, "Change the value.")
        elif column.dtype.startswith("int") and int(self.value or 0) != (self.value or 0):
            raise refusal(self, f"floats for the value {self.value}", column, "Give an integer.")
        return column if self.value is None else number(column, column.dtype)

    def outputs(self, column: ColumnSchema) -> list[ColumnSchema]:
        """The column, and `<name>_missing` where it is wanted."""
        missing = ColumnSchema(f"{column.name}_missing", column.tags & SIDES, dtype="float32")
        return [self.output(column), *([missing] if self.indicator else [])]

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        if self.value is None:
            return values
        value = self._sum / max(self._count, 1) if self.learns else self.value
        return tf.where(is_missing(column, values), constant(value, values.dtype), values)

    def apply(self, column: ColumnSchema, values: Tensor) -> dict[str, Tensor]:
        """The filled values, and where they were missing."""
        ready = {column.name: self(column, values)}
        if self.indicator:
            ready[f"{column.name}_missing"] = tf.cast(is_missing(column, values), tf.float32)
        return ready
