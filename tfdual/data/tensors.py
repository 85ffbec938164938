"""The specs of the tensors that rows become."""

from typing import Any

import tensorflow as tf

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
