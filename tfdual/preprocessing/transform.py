"""What every transform of a column is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema

Values: TypeAlias = np.ndarray | tuple[np.ndarray, np.ndarray]


class Transform(ABC):
    """Raw values of a column -> model-ready values; fitted on a stream, then a TensorFlow function.

    One transform serves all columns that share a domain. `update` sees every batch once, `finish` is called after
    the last one, and from then on the transform may be called, in `tf.data` or in a served graph.
    """

    def update(self, column: ColumnSchema, values: Values) -> None:  # noqa: B027
        """Learn from one batch of raw values: an array, or (values, lengths) of a ragged list."""

    def finish(self) -> None:  # noqa: B027
        """Learn no more."""

    @property
    def tables(self) -> list[Any]:
        """TensorFlow resources that a SavedModel of this transform must keep."""
        return []

    @abstractmethod
    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The model-ready column that `column` becomes."""

    @abstractmethod
    def __call__(self, values: Tensor) -> Tensor:
        """Model-ready values, ragged where `values` is."""


def lookup_table(values: np.ndarray, dtype: tf.DType) -> tf.lookup.StaticHashTable:
    """A table from value to its position + 1, and from any other value to 0."""
    keys, ids = values, np.arange(1, len(values) + 1)
    if not len(values):  # TensorFlow makes no empty table
        keys, ids = np.array([b"" if dtype == tf.string else 0]), np.array([0])
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(keys, dtype), tf.constant(ids, tf.int64))
    return tf.lookup.StaticHashTable(initializer, default_value=0)


def flat(values: Values) -> np.ndarray:
    """All values of a batch, without their row."""
    return values[0] if isinstance(values, tuple) else values.reshape(-1)


def on_values(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Apply `function` to a tensor, or to the values inside a ragged one."""
    if isinstance(values, tf.RaggedTensor):
        return values.with_flat_values(function(values.flat_values))
    return function(values)
