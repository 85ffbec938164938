"""Arrow columns to NumPy arrays that TensorFlow takes, and the specs of the tensors."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual.schema import ColumnSchema, Schema

Ragged: TypeAlias = tuple[np.ndarray, np.ndarray]
MISSING_ID = -1


def is_ragged(column: ColumnSchema) -> bool:
    """Whether `to_numpy` gives a pair for this column."""
    return column.is_list and column.width is None


def to_numpy(array: pa.Array | pa.ChunkedArray, column: ColumnSchema) -> np.ndarray | Ragged:
    """One conforming column of one batch.

    A missing string is `""`, a missing float NaN, a missing id -1.

    Returns:
        An array `(rows,)`, for vectors `(rows, width)`, for ragged lists the pair (values, lengths).
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if not column.is_list:
        return _values(array, column)
    values = _values(array.flatten(), column)
    if column.width is not None:
        return values.reshape(-1, column.width)
    return values, np.diff(array.offsets.to_numpy()).astype(np.int64)


def _values(array: pa.Array, column: ColumnSchema) -> np.ndarray:
    if column.dtype == "string":
        array = array.cast(pa.binary())
        return (pc.fill_null(array, b"") if array.null_count else array).to_numpy(zero_copy_only=False)
    if array.null_count and column.dtype.startswith("int"):
        array = pc.fill_null(array, MISSING_ID)
    return array.to_numpy(zero_copy_only=False)


def signature(schema: Schema) -> dict[str, Any]:
    """The specs of what `to_numpy` gives for any number of rows."""
    specs: dict[str, Any] = {}
    for column in schema:
        if is_ragged(column):
            specs[column.name] = (tf.TensorSpec([None], column.dtype), tf.TensorSpec([None], tf.int64))
        else:
            specs[column.name] = tf.TensorSpec([None] + ([column.width] if column.width else []), column.dtype)
    return specs
