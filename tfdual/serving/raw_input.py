"""Raw query columns at the door of a served model: dense tensors in, ragged inside."""

from collections.abc import Mapping, Sequence
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
        features: column name -> a list of one value (or list of values) a query.
        schema: Schema. The query columns.

    Raises:
        ValueError: a column is unknown, missing, of the wrong type, or differs in its number of queries.
    """
    if unknown := sorted(set(features) - set(schema.column_names)):
        raise ValueError(f"The model doesn't know the query columns {unknown}. It takes {schema.column_names}.")
    if missing := [name for name in schema.column_names if name not in features]:
        raise ValueError(f"The query lacks the columns {missing}. It needs {schema.column_names}.")
    dense = {column.name: _dense(features[column.name], column) for column in schema}
    sizes = {name: int(tensor.shape[0]) for name, tensor in dense.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All query columns must hold the same number of queries. Received {sizes}.")
    return dense


def _dense(values: Any, column: ColumnSchema) -> tf.Tensor:
    if isinstance(values, tf.RaggedTensor):
        values = values.to_list()
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
