"""Rows of one schema, streamed from Arrow into tf.data."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import tensorflow as tf

from tfdual.data.arrow_tensors import Ragged, check_columns, is_ragged, to_numpy
from tfdual.data.shuffle import rebatched, shuffled, stored_order
from tfdual.schema import Schema


class Rows:
    """The rows of a source, with the schema that types them. Made by `tfdual.read`.

    Args:
        dataset: pyarrow.dataset.Dataset. Where the rows come from; it is streamed, never read as a whole.
        schema: Schema. The columns to read; others are left in the file.
        source: str. How messages name the source. Defaults to `"The source"`.

    Raises:
        ValueError: the source lacks a column, or has no row.
        TypeError: a column has another type than the schema says.

    Example:
        >>> table = pa.table({"user_id": [7, 8, 9]})
        >>> rows = Rows(ds.dataset(table), Schema(["user_id"]))
        >>> [batch["user_id"].numpy().tolist() for batch in rows.batch(2)]
        [[7, 8], [9]]
    """

    def __init__(self, dataset: ds.Dataset, schema: Schema, source: str = "The source") -> None:
        check_columns(dataset.schema, schema, source)
        self.schema = schema
        self.source = source
        self._dataset = dataset
        self._length = dataset.count_rows()
        if self._length == 0:
            raise ValueError(f"{source} has no rows. Write at least one row, or name another source.")

    def __len__(self) -> int:
        return self._length

    def tables(self, size: int = 65_536) -> Iterator[pa.Table]:
        """The rows as Arrow tables of `size` rows, in stored order."""
        return rebatched(stored_order(self._dataset, self.schema.column_names), size, drop_remainder=False)

    def arrays(self, size: int = 65_536) -> Iterator[dict[str, np.ndarray | Ragged]]:
        """The rows as NumPy arrays of `size` rows; ragged lists as (values, lengths)."""
        for table in self.tables(size):
            yield self._arrays(table)

    def to_arrow(self) -> pa.Table:
        """All rows as one Arrow table, in memory."""
        return self._dataset.to_table(columns=self.schema.column_names)

    def take(self, n: int) -> list[dict[str, Any]]:
        """The first `n` rows as Python values."""
        return self._dataset.head(n, columns=self.schema.column_names).to_pylist()

    def select(self, schema: Schema) -> "Rows":
        """The same rows, typed by another schema: fewer columns, other tags."""
        return Rows(self._dataset, schema, self.source)

    def unique(self, by: str) -> "Rows":
        """The first row of each value of the column `by`, held in memory.

        Raises:
            KeyError: the schema has no such column.
        """
        self.schema[by]
        table = self.to_arrow()
        keys = table.column(by).combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        first = np.sort(np.unique(keys, return_index=True)[1])
        return Rows(ds.dataset(table.take(pa.array(first))), self.schema, self.source)

    def batch(
        self, size: int, shuffle: bool = False, seed: int | None = None, drop_remainder: bool = False
    ) -> tf.data.Dataset:
        """Batches for `model.fit`, each epoch in a new order where `shuffle` is set.

        Args:
            size: int. Rows a batch.
            shuffle: bool. Shuffle in bounded memory (row groups, then windows of 524,288 rows). Defaults to `False`.
            seed: int. Makes the orders of all epochs repeatable. Defaults to `None`: random.
            drop_remainder: bool. Leave out a last batch of fewer rows. Defaults to `False`.

        Returns:
            `tf.data.Dataset` of dict: name -> Tensor `(batch,)`, vectors `(batch, width)`, lists RaggedTensor.

        Raises:
            ValueError: a size below 1, or a seed without `shuffle`.
        """
        if size < 1:
            raise ValueError(f"A batch has at least 1 row. Received size={size}.")
        if seed is not None and not shuffle:
            raise ValueError(f"seed={seed} has no effect without shuffle=True. Set shuffle, or leave out the seed.")
        batches = len(self) // size if drop_remainder else -(-len(self) // size)
        dataset = tf.data.Dataset.from_generator(
            self._generator(size, shuffle, seed, drop_remainder),
            output_signature=self._signature(size if drop_remainder else None),
        )
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches))
        return dataset.map(_with_ragged).prefetch(2)

    def _generator(
        self, size: int, shuffle: bool, seed: int | None, drop_remainder: bool
    ) -> Callable[[], Iterator[dict[str, Any]]]:
        epochs = np.random.SeedSequence(seed)

        def generate() -> Iterator[dict[str, Any]]:
            names = self.schema.column_names
            if shuffle:
                tables = shuffled(self._dataset, names, np.random.default_rng(epochs.spawn(1)[0]))
            else:
                tables = stored_order(self._dataset, names)
            for table in rebatched(tables, size, drop_remainder):
                yield self._arrays(table)

        return generate

    def _arrays(self, table: pa.Table) -> dict[str, np.ndarray | Ragged]:
        return {column.name: to_numpy(table.column(column.name), column) for column in self.schema}

    def _signature(self, size: int | None) -> dict[str, Any]:
        signature: dict[str, Any] = {}
        for column in self.schema:
            if is_ragged(column):
                values = tf.TensorSpec([None], column.dtype)
                signature[column.name] = (values, tf.TensorSpec([size], tf.int64))
            else:
                signature[column.name] = tf.TensorSpec([size] + ([column.width] if column.width else []), column.dtype)
        return signature


def _with_ragged(batch: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tf.RaggedTensor.from_row_lengths(*value, validate=False) if isinstance(value, tuple) else value
        for name, value in batch.items()
    }
