"""What tells whether embeddings are of the same model and of the same items."""

import hashlib
import json
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows

Columns = dict[str, Tensor]


class RowsHash:
    """A hash of the rows of a part: ids and attributes as they came, and the columns that the tower saw."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def update(self, raw: Columns, ready: Columns) -> None:
        """Take in a batch."""
        for columns in (raw, ready):
            for name in sorted(columns):
                values = columns[name]
                is_ragged = isinstance(values, tf.RaggedTensor)
                for part in (values.flat_values, values.row_lengths()) if is_ragged else (values,):
                    array = part.numpy()
                    self._hash.update(f"{name} {array.dtype} {array.shape} ".encode())
                    self._hash.update(_bytes(array))

    def hexdigest(self) -> str:
        """The hash, 32 hexadecimal digits."""
        return self._hash.hexdigest()


def items_hash(items: Rows) -> str:
    """A hash of the columns and the number of rows; their values are not read."""
    text = json.dumps([items.schema.to_dict(), len(items)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _bytes(array: np.ndarray) -> Any:
    if array.dtype != object:
        return np.ascontiguousarray(array).view(np.uint8) if array.size else b""
    values = array.ravel().tolist()
    return np.array([len(value) for value in values], "<i8").tobytes() + b"".join(values)
