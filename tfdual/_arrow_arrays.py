"""Arrow columns to NumPy arrays that TensorFlow takes, with a mark where a value is missing."""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ragged: TypeAlias = tuple[np.ndarray, np.ndarray]
MISSING_INTEGER = -1


def to_numpy(array: pa.Array | pa.ChunkedArray) -> np.ndarray | Ragged:
    """One column of one batch.

    A missing string is `""`, a missing float NaN, a missing integer -1; lists are not missing.

    Returns:
        An array `(rows,)`, for lists of a fixed size `(rows, width)`, for others the pair (values, lengths).
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if pa.types.is_fixed_size_list(array.type):
        return _values(array.flatten()).reshape(-1, array.type.list_size)
    if pa.types.is_list(array.type):
        return _values(array.flatten()), np.diff(array.offsets.to_numpy()).astype(np.int64)
    return _values(array)


def _values(array: pa.Array) -> np.ndarray:
    if pa.types.is_string(array.type):
        array = array.cast(pa.binary())
        return (pc.fill_null(array, b"") if array.null_count else array).to_numpy(zero_copy_only=False)
    if array.null_count and pa.types.is_integer(array.type):
        array = pc.fill_null(array, MISSING_INTEGER)
    return array.to_numpy(zero_copy_only=False)
