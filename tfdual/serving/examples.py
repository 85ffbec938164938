"""Serialised `tf.train.Example`s -> the dense columns of a signature."""

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving.raw_input import PADDING, tensor_spec


def parse_examples(serialized: Tensor, schema: Schema) -> dict[str, Tensor]:
    """The columns of a schema, dense and padded as the signature takes them.

    An `Example` holds int64, float32 and bytes: a float64 column has the precision of float32. A feature that an
    example lacks is an error, unless it is a list, which is empty then, or its column is nullable and becomes missing.

    Args:
        serialized: string `(batch,)`.
        schema: Schema. The columns to read.
    """
    parsed = tf.io.parse_example(serialized, {column.name: _parsing(column) for column in schema})
    return {column.name: _dense(parsed[column.name], column) for column in schema}


def _parsing(column: ColumnSchema) -> tf.io.FixedLenFeature | tf.io.RaggedFeature:
    kind = tf.as_dtype(column.dtype)
    stored = tf.string if kind == tf.string else tf.float32 if kind.is_floating else tf.int64
    if column.is_list and column.width is None:
        return tf.io.RaggedFeature(stored, row_splits_dtype=tf.int64)
    shape = [] if column.width is None else [column.width]
    if not column.nullable:
        return tf.io.FixedLenFeature(shape, stored)
    missing = "" if stored == tf.string else float("nan") if stored == tf.float32 else -1
    return tf.io.FixedLenFeature(shape, stored, missing if column.width is None else [0.0] * column.width)


def _dense(values: Tensor | tf.RaggedTensor, column: ColumnSchema) -> Tensor:
    if isinstance(values, tf.RaggedTensor):
        values = values.to_tensor(tf.cast(PADDING[column.dtype], values.dtype))
    spec = tensor_spec(column)
    return tf.ensure_shape(tf.cast(values, spec.dtype), spec.shape)
