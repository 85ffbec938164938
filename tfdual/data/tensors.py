"""The tensors that rows become, and their specs."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import Schema


def signature(schema: Schema) -> dict[str, Any]:
    """The spec of each column for any number of rows; of ragged lists, those of values and lengths."""
    specs: dict[str, Any] = {}
    for column in schema:
        if column.is_list and column.width is None:
            specs[column.name] = (tf.TensorSpec([None], column.dtype), tf.TensorSpec([None], tf.int64))
        else:
            specs[column.name] = tf.TensorSpec([None] + ([column.width] if column.width else []), column.dtype)
    return specs


def from_arrays(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Columns as `signature` says: pairs of values and lengths become ragged."""
    return {
        name: tf.RaggedTensor.from_row_lengths(*value, validate=False) if isinstance(value, tuple) else value
        for name, value in arrays.items()
    }
