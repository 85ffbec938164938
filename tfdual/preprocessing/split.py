"""Delimited strings to lists of strings."""

from dataclasses import replace

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.column_types import check_text
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema, Tags


@register
class Split(Transform):
    """`"Action|Comedy"` -> `["Action", "Comedy"]`; spaces around a part and empty parts are dropped.

    A `Vocabulary` or `HashBuckets` behind it makes ids of the parts, and `MultiHot` a vector of those.

    Args:
        delimiter: str. Stands between two parts. Defaults to `"|"`.

    Raises:
        ValueError: the delimiter is empty.
        TypeError: the column holds no single strings.
    """

    def __init__(self, delimiter: str = "|") -> None:
        if not delimiter:
            raise ValueError("Split needs a delimiter of at least one character. Received an empty one.")
        self.delimiter = delimiter

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged list of strings."""
        check_text(self, column)
        return replace(column, tags=column.tags - {Tags.TEXT}, is_list=True, is_ragged=True)

    def __call__(self, column: ColumnSchema, values: Tensor) -> tf.RaggedTensor:
        parts = tf.strings.split(values, self.delimiter)
        parts = parts.with_flat_values(tf.strings.strip(parts.flat_values))
        return tf.ragged.boolean_mask(parts, parts.with_flat_values(parts.flat_values != ""))
