"""Categorical values to ids by a hash, without a vocabulary."""

import keras
import tensorflow as tf

from tfdual._arrow_arrays import MISSING_INTEGER
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.column_types import check_values, ids
from tfdual.preprocessing.transform import Transform, on_values
from tfdual.schema import ColumnSchema


@register
class HashBuckets(Transform):
    """Strings or integers -> `1 .. buckets` by a hash; 0 is a missing value. Nothing is learned, some values collide.

    Args:
        buckets: int. Number of ids beside 0.
        salt: int. Another salt, another hash. Defaults to `None`.

    Raises:
        ValueError: fewer than 1 bucket.
        TypeError: the column holds floats.

    Reference: NVTabular's `HashBucket`; Keras's `Hashing`, which hashes
    """

    def __init__(self, buckets: int, salt: int | None = None) -> None:
        if buckets < 1:
            raise ValueError(f"HashBuckets needs at least 1 bucket. Received {buckets}.")
        self.buckets = buckets
        self.salt = salt

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """An int64 column over the buckets."""
        check_values(self, column)
        return ids(column, self.buckets + 1, shared=self.buckets + 1)

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        if column.dtype == "string":
            hashing = keras.layers.Hashing(self.buckets + 1, mask_value="", salt=self.salt)
            return on_values(hashing, values)
        if column.nullable:
            hashing = keras.layers.Hashing(self.buckets + 1, mask_value=MISSING_INTEGER, salt=self.salt)
            return on_values(lambda flat: hashing(tf.cast(flat, tf.int64)), values)
        hashing = keras.layers.Hashing(self.buckets, salt=self.salt)
        return on_values(lambda flat: hashing(tf.cast(flat, tf.int64)) + 1, values)
