"""What tells whether embeddings are of the same items."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data import Rows


class RowsHash:
    """A hash of the raw rows of a part, batch by batch."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def update(self, rows: pa.Table) -> None:
        """Take in a batch."""
        for name in rows.column_names:
            array = rows[name].combine_chunks()
            self._hash.update(f"{name} {array.type} {len(array)} ".encode())
            for part in _parts(array):
                self._hash.update(part)

    def hexdigest(self) -> str:
        """The hash, 32 hexadecimal digits."""
        return self._hash.hexdigest()


def items_hash(items: Rows) -> str:
    """A hash of the columns and the number of rows; their values are not read."""
    text = json.dumps([items.schema.to_dict(), len(items)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _parts(array: pa.Array) -> Iterator[Any]:
    """Bytes that are the same for equal arrays of a type and length, also where one is a slice of another."""
    if array.null_count:
        yield array.is_valid().to_numpy(zero_copy_only=False)
        array = array.drop_null()
    if pa.types.is_fixed_size_list(array.type):
        yield from _parts(array.flatten())
    elif pa.types.is_list(array.type):
        yield pc.list_value_length(array).to_numpy()
        yield from _parts(array.flatten())
    elif pa.types.is_string(array.type):
        yield pc.binary_length(array).to_numpy()
        _, offsets, text = array.buffers()
        if text is not None:
            first, last = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
            yield text[first:last]
    else:
        yield np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
