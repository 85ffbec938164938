"""Ids to vectors of zeros and ones."""

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.column_types import check_ids, vector
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema


@register
class OneHot(Transform):
    """An id -> a vector with a 1 at its place, one place an id; a step behind one that makes ids.

    Raises:
        TypeError: the column holds no ids `0 .. n - 1`, or lists of them.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """Vectors as wide as there are ids."""
        if column.is_list:
            raise refusal(self, "a single id a row", column, "Use MultiHot for a list.")
        return vector(column, check_ids(self, column))

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return tf.one_hot(values, check_ids(self, column))


@register
class MultiHot(Transform):
    """A list of ids -> a vector with a 1 at the place of each; a step behind one that makes ids.

    Raises:
        TypeError: the column holds no lists of ids `0 .. n - 1`.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """Vectors as wide as there are ids."""
        if not column.is_list:
            raise refusal(self, "a list of ids a row", column, "Use OneHot for a single id.")
        return vector(column, check_ids(self, column))

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        width = check_ids(self, column)
        return tf.math.bincount(values, minlength=width, maxlength=width, binary_output=True, axis=-1, dtype=tf.float32)
