"""Raw query columns at the door of a served model: dense tensors in, ragged inside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema, Schema

PADDING: dict[str, Any] = {"string": "", "int64": -1, "int32": -1, "float32": np.nan, "float64": np.nan}


def tensor_spec(column: ColumnSchema) -> tf.TensorSpec:
    """Shape and type in the signature: `(batch,)`, `(batch, width)`, or `(batch, longest)` for ragged lists.

    Raises:
        ValueError: a ragged list of bools, which leaves no value for the padding.
    """
    if column.is_list and column.width is None and column.dtype not in PADDING:
        raise ValueError(f"Query column '{column.name}' is a list of {column.dtype}, which can't be padded. Use int64.")
    shape = [None, column.width] if column.is_list else [None]
    return tf.TensorSpec(shape, column.dtype, name=column.name)


def missing_values(schema: Schema) -> dict[str, Tensor]:
    """One row of each column that may be left out, those that are nullable: what the preprocessor takes as missing."""
    missing = {}
    for column in schema:
        if column.nullable:
            shape = tensor_spec(column).shape
            rows = [1] if shape.rank == 1 else [1, shape[1] or 0]
            missing[column.name] = tf.fill(rows, tf.constant(PADDING.get(column.dtype, False), column.dtype))
    return missing


def plainest_query(schema: Schema) -> dict[str, list]:
    """One query of empty strings, zeros and empty lists."""
    query: dict[str, list] = {}
    for column in schema:
        plain = "" if column.dtype == "string" else np.zeros((), column.dtype).item()
        query[column.name] = [[plain] * column.width if column.width else []] if column.is_list else [plain]
    return query


def one_row_each(inputs: Mapping[str, Tensor], schema: Schema, options: Collection[str] = ()) -> dict[str, Tensor]:
    """The inputs, each with as many rows; what may be left out may have one row for all.

    Args:
        inputs: name -> `(batch, ...)` or `(1, ...)`.
        schema: Schema. The columns.
        options: names of inputs that are no columns.
    """
    repeated = {column.name for column in schema if column.nullable} | set(options)
    rows = {name: tf.shape(inputs[name])[0] for name in inputs}
    required = [rows[name] for name in sorted(rows) if name not in repeated]
    batch = required[0] if required else tf.reduce_max([rows[name] for name in rows])
    fits = [
        tf.equal(count, batch) | (tf.equal(count, 1) if name in repeated else tf.constant(False))
        for name, count in rows.items()
    ]
    message = ["Each input holds one row a query. Received these numbers of rows:"]
    message += [part for name, count in sorted(rows.items()) for part in (name, count)]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), message, summarize=10)]):
        return {
            name: _repeated(values, batch) if name in repeated else tf.identity(values)
            for name, values in inputs.items()
        }


def _repeated(values: Tensor, batch: Tensor) -> Tensor:
    shape = tf.shape(values)
    wanted = tf.concat([[batch], shape[1:]], axis=0)
    return tf.ensure_shape(tf.broadcast_to(values, wanted), [None, *values.shape[1:]])


def to_ragged(features: Mapping[str, Tensor], schema: Schema) -> dict[str, Tensor]:
    """Take the padding (`""` or -1) at the end of lists away."""
    ready = dict(features)
    for column in schema:
        if column.is_list and column.width is None:
            ready[column.name] = tf.RaggedTensor.from_tensor(features[column.name], padding=PADDING[column.dtype])
    return ready


def to_dense(features: Mapping[str, Any], schema: Schema) -> dict[str, tf.Tensor]:
    """Python values, arrays or tensors of raw query columns, as the signature wants them.

    Args:
        features: column name -> a list of one value (or list of values) a query; columns that are nullable may be
            left out.
        schema: Schema. The query columns.

    Raises:
        ValueError: a column is unknown, missing, of the wrong type, or differs in its number of queries.
    """
    if unknown := sorted(set(features) - set(schema.column_names)):
        raise ValueError(f"The model doesn't know the query columns {unknown}. It takes {schema.column_names}.")
    missing = missing_values(schema)
    if lacking := [name for name in schema.column_names if name not in features and name not in missing]:
        raise ValueError(f"The query lacks the columns {lacking}. It needs {schema.column_names}.")
    dense = {column.name: _dense(features[column.name], column) for column in schema if column.name in features}
    sizes = {name: int(tensor.shape[0]) for name, tensor in dense.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All query columns must hold the same number of queries. Received {sizes}.")
    return missing | dense


def _dense(values: Any, column: ColumnSchema) -> tf.Tensor:
    if isinstance(values, tf.RaggedTensor):
        values = values.to_list()
    if isinstance(values, Sequence) and not len(values):
        return tf.zeros([0, *(size or 0 for size in tensor_spec(column).shape[1:])], column.dtype)
    try:
        if column.is_list and column.width is None and not isinstance(values, tf.Tensor | np.ndarray):
            values = _padded(values, PADDING[column.dtype])
        given = tf.convert_to_tensor(values, dtype_hint="float64" if column.dtype == "float64" else None)
        tensor = tf.ensure_shape(tf.cast(given, column.dtype), tensor_spec(column).shape)
        if column.dtype.startswith("int") and not _same_integers(given, tensor):
            raise TypeError("not integers of that size")
        return tensor
    except (TypeError, ValueError, tf.errors.UnimplementedError, tf.errors.InvalidArgumentError) as error:
        wanted = "a list of lists" if column.is_list else "a list"
        width = f" of {column.width} numbers each" if column.width else ""
        raise ValueError(
            f"Query column '{column.name}' takes {wanted}{width} of {column.dtype}, one entry a query. "
            f"Received {values!r}."
        ) from error


def _same_integers(given: tf.Tensor, tensor: tf.Tensor) -> bool:
    return given.dtype.is_integer and bool(tf.reduce_all(tf.cast(tensor, given.dtype) == given))


def _padded(rows: Sequence[Sequence[Any]], padding: Any) -> list[list[Any]]:
    if any(isinstance(row, str | bytes) for row in rows):
        raise TypeError("a string is not a list")
    longest = max([1, *(len(row) for row in rows)])
    return [[*row, *[padding] * (longest - len(row))] for row in rows]
