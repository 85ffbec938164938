"""Arrow arrays to tensors and back, and the values of them that are not missing."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual._arrow_arrays import MISSING_INTEGER, to_numpy
from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema


def to_tensor(column: ColumnSchema, array: pa.Array) -> Tensor:
    """A column of one batch, as the input pipeline would give it."""
    values = to_numpy(array)
    if not isinstance(values, tuple):
        return tf.constant(values, column.dtype)
    flat_values, lengths = values
    return tf.RaggedTensor.from_row_lengths(tf.constant(flat_values, column.dtype), lengths, validate=False)


def to_arrow(values: Tensor) -> pa.Array:
    """A tensor of single values, of vectors, or a ragged one, as Arrow."""
    if isinstance(values, tf.RaggedTensor):
        offsets = pa.array(values.row_splits.numpy().astype(np.int32))
        return pa.ListArray.from_arrays(offsets, to_arrow(values.flat_values))
    if values.shape.rank == 2:
        return pa.FixedSizeListArray.from_arrays(to_arrow(tf.reshape(values, [-1])), values.shape[1])
    array = pa.array(values.numpy())
    return array.cast(pa.string()) if values.dtype == tf.string else array


def flat(array: pa.Array) -> pa.Array:
    """The values of a batch, without their row."""
    nested = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
    return array.flatten() if nested or pa.types.is_fixed_size_list(array.type) else array


def present(column: ColumnSchema, array: pa.Array) -> pa.Array:
    """The values inside a batch that are not missing."""
    values = flat(array).drop_null()
    if column.dtype == "string":
        return values.filter(pc.not_equal(values, ""))
    if column.properties.get("nullable") and column.dtype.startswith("int"):
        return values.filter(pc.not_equal(values, MISSING_INTEGER))
    return values


def numbers(column: ColumnSchema, array: pa.Array) -> np.ndarray:
    """The numbers of a batch that are not missing, as float64.

    Raises:
        ValueError: a value is infinite.
    """
    values = present(column, array)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    batch = values.to_numpy(zero_copy_only=False).astype(np.float64)
    batch = batch[~np.isnan(batch)]
    if np.isinf(batch).any():
        raise ValueError(f"Column '{column.name}' holds infinite values. Replace them by a number or a null.")
    return batch
