"""Keys and times that place rows: keys of any type as 63-bit integers, which sort and look up fast."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual.schema import ColumnSchema

_BUCKETS = 2**63 - 1


def key_hash(keys: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Integers as they are; strings by FarmHash.

    Two of 10 million different strings share a hash with a probability of 5e-6.

    Args:
        keys: Arrow integers or strings. A missing one gives any number.

    Returns:
        int64 array.
    """
    if pa.types.is_integer(keys.type):
        return pc.fill_null(keys.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    texts = pc.fill_null(keys.cast(pa.binary()), b"").to_numpy(zero_copy_only=False)
    return tf.strings.to_hash_bucket_fast(texts, _BUCKETS).numpy()


def uniform(keys: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each key, the same for equal keys (SplitMix64)."""
    start = 0x9E3779B97F4A7C15 * (2 * seed + 1) % 2**64
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) + np.uint64(start)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)) * 2.0**-53


def check_key(column: ColumnSchema) -> None:
    """Refuse a column whose values are no keys.

    Raises:
        TypeError: the column holds no single integers or strings.
    """
    if column.is_list or column.dtype not in ("int64", "int32", "string"):
        raise TypeError(f"A key is a single integer or string. '{column.name}' holds {_held(column)}.")


def check_time(column: ColumnSchema) -> None:
    """Refuse a column whose values are no times.

    Raises:
        TypeError: the column holds no single numbers, or float32, in which two times of a minute are one.
    """
    if column.is_list or column.dtype in ("string", "bool"):
        raise TypeError(f"A time is a single number. '{column.name}' holds {_held(column)}.")
    if column.dtype == "float32":
        raise TypeError(f"Times as float32 lose digits. Give column '{column.name}' the dtype int64 or float64.")


def present(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column without which a row can't be placed.

    Raises:
        ValueError: a value is missing.
    """
    column = table.column(name)
    if missing := pc.sum(pc.is_null(column, nan_is_null=True)).as_py():
        raise ValueError(
            f"Column '{name}' tells where a row belongs, and {missing:,} rows lack it. Fill it, or leave them out."
        )
    return column


def _held(column: ColumnSchema) -> str:
    return f"lists of {column.dtype}" if column.is_list else column.dtype
