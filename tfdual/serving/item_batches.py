"""Items on their way to a tower: rows in Arrow, and their model-ready columns."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import tensorflow as tf

from tfdual._arrow_arrays import to_numpy
from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.data.order import rebatched, stored
from tfdual.data.tensors import from_arrays, signature
from tfdual.preprocessing import Preprocessor


class ItemBatches:
    """Batches of rows in stored order; only the columns that the tower reads become tensors.

    Args:
        items: Rows.
        preprocessor: Preprocessor.
        columns: names of the raw columns that the tower reads.
        size: int. Rows a batch; the last one may have fewer.
    """

    def __init__(self, items: Rows, preprocessor: Preprocessor, columns: Sequence[str], size: int) -> None:
        self._stream, self._columns, self._size = items.stream, columns, size
        self._ready = tf.function(
            lambda arrays: preprocessor(from_arrays(arrays)),
            input_signature=[signature(items.schema.select_by_name(columns))],
            autograph=False,
        )

    def raw(self, first: int) -> Iterator[pa.Table]:
        """The rows from batch `first` on."""
        return rebatched(stored(self._stream, first * self._size), self._size, drop_remainder=False)

    def prepared(self, first: int) -> Iterator[tuple[pa.Table, dict[str, Tensor]]]:
        """The same, each batch with its model-ready columns."""
        for table in self.raw(first):
            with tf.device("CPU"):
                yield table, self._ready({name: to_numpy(table[name]) for name in self._columns})
