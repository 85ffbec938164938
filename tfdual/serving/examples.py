"""Serialised `tf.train.Example`s and the dense columns of a signature."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema, Schema
from tfdual.serving.raw_input import PADDING, missing_row, tensor_spec, to_ragged
from tfdual.serving.search_options import DEFAULT_K


def parse_examples(
    serialized: Tensor, schema: Schema, id_kind: str, filtered: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The columns of a schema, and the options of a search, dense and padded as a signature takes them.

    An `Example` holds int64, float32 and bytes: a float64 column has the precision of float32. A feature that an
    example lacks is an error, unless it is a list, which is empty then, or its column is nullable and becomes missing.
    The options `k`, `exclude` and `filter` are features too, which an example may lack.

    Args:
        serialized: string `(batch,)`.
        schema: Schema. The columns to read.
        id_kind: `"int64"` or `"string"`.
        filtered: bool. Whether items can be filtered.
    """
    wanted = {column.name: _parsing(column) for column in schema} | {
        "k": tf.io.FixedLenFeature([], tf.int64, DEFAULT_K),
        "exclude": tf.io.RaggedFeature(tf.as_dtype(id_kind), row_splits_dtype=tf.int64),
    }
    if filtered:
        wanted["filter"] = tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
    parsed = tf.io.parse_example(serialized, wanted)
    options = {"k": tf.cast(parsed["k"], tf.int32), "exclude": parsed["exclude"].to_tensor(PADDING[id_kind])}
    if filtered:
        options["filter"] = parsed["filter"].to_tensor("")
    return {column.name: _dense(parsed[column.name], column) for column in schema}, options


def _parsing(column: ColumnSchema) -> tf.io.FixedLenFeature | tf.io.RaggedFeature:
    kind = tf.as_dtype(column.dtype)
    stored = tf.string if kind == tf.string else tf.float32 if kind.is_floating else tf.int64
    if column.is_list and column.width is None:
        return tf.io.RaggedFeature(stored, row_splits_dtype=tf.int64)
    shape = [] if column.width is None else [column.width]
    if not column.nullable:
        return tf.io.FixedLenFeature(shape, stored)
    return tf.io.FixedLenFeature(shape, stored, missing_row(column))


def _dense(values: Tensor | tf.RaggedTensor, column: ColumnSchema) -> Tensor:
    if isinstance(values, tf.RaggedTensor):
        values = values.to_tensor(tf.cast(PADDING[column.dtype], values.dtype))
    spec = tensor_spec(column)
    return tf.ensure_shape(tf.cast(values, spec.dtype), spec.shape)


def to_examples(columns: Mapping[str, Tensor], schema: Schema) -> Tensor:
    """What `parse_examples` reads these dense columns from: strings `(batch,)`.

    Args:
        columns: name -> `(batch, ...)`, as many rows each.
        schema: Schema. The columns to write.
    """
    ragged = to_ragged(columns, schema)
    messages = []
    for row in range(len(columns[schema.column_names[0]])):
        example = tf.train.Example()
        for column in schema:
            values = np.atleast_1d(ragged[column.name][row].numpy())
            _write(example.features.feature[column.name], values, tf.as_dtype(column.dtype))
        messages.append(example.SerializeToString())
    return tf.constant(messages, tf.string)


def _write(feature: tf.train.Feature, values: np.ndarray, kind: tf.DType) -> None:
    if kind == tf.string:
        feature.bytes_list.value.extend(values.tolist())
    elif kind.is_floating:
        feature.float_list.value.extend(values.tolist())
    else:
        feature.int64_list.value.extend(values.astype(np.int64).tolist())
