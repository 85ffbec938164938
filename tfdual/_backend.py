"""What only the TensorFlow backend has: ragged tensors, and reads of single rows of a variable."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


def is_ragged(values: Any) -> bool:
    """Whether rows of `values` differ in length."""
    return isinstance(values, tf.RaggedTensor)


def has_values(lists: Any) -> Any:
    """Which rows hold any value, `(batch,)` bool; 0 is padding in a list that is not ragged."""
    return lists.row_lengths() > 0 if is_ragged(lists) else ops.any(lists > 0, axis=-1)


def take_rows(table: keras.Variable, ids: Any) -> Any:
    """Rows of a variable, `(..., dim)`.

    On TensorFlow the rows alone are read. `ops.take` reads the variable as a whole, which costs a copy of it each step
    once a sparse update has written to it.
    """
    if keras.backend.backend() == "tensorflow":
        return tf.gather(table.value, ids)
    return ops.take(table, ids, axis=0)


def distinct_rows(ids: Any) -> tuple[Any, Any, Any]:
    """First row of each distinct id, each row's place among the distinct ids, and their counts.

    Raises:
        RuntimeError: the backend has no shapes that depend on values.
    """
    if not data_dependent_shapes():
        raise RuntimeError(f"Distinct rows need the TensorFlow backend. This is {keras.backend.backend()}.")
    distinct, places, counts = tf.unique_with_counts(ids)
    rows = tf.range(tf.size(ids))
    return tf.math.unsorted_segment_min(rows, places, tf.size(distinct)), places, counts


def data_dependent_shapes() -> bool:
    """Whether the backend can make a tensor whose size depends on values."""
    return keras.backend.backend() == "tensorflow"


def show(name: str, values: Any) -> None:
    """Print shape, type, smallest, mean and largest value of a tensor, also from inside a TensorFlow graph."""
    if is_ragged(values):
        show(f"{name} (ragged, {values.nrows()} rows)", values.flat_values)
    elif keras.backend.backend() == "tensorflow" and values.dtype == tf.string:
        tf.print(name, "shape", tf.shape(values), "string")
    else:
        numbers = ops.cast(values, "float32")
        range_of_values = (ops.min(numbers), ops.mean(numbers), ops.max(numbers))
        printed = tf.print if keras.backend.backend() == "tensorflow" else print
        printed(name, "shape", ops.shape(values), keras.backend.standardize_dtype(values.dtype), *range_of_values)
