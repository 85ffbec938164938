"""What only the TensorFlow backend has: ragged tensors, and reads of single rows of a variable."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


def is_ragged(values: Any) -> bool:
    """Whether rows of `values` differ in length."""
    return isinstance(values, tf.RaggedTensor)


def take_rows(table: keras.Variable, ids: Any) -> Any:
    """Rows of a variable, `(..., dim)`.

    On TensorFlow the rows alone are read. `ops.take` reads the variable as a whole, which costs a copy of it each step
    once a sparse update has written to it.
    """
    if keras.backend.backend() == "tensorflow":
        return tf.gather(table.value, ids)
    return ops.take(table, ids, axis=0)
