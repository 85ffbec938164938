"""Rows of one schema, streamed from any source."""

import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._optional import require
from tfdual.data.arrow_types import arrow_schema, check_columns, check_schema
from tfdual.data.batches import Plan, random_seed, to_dataset
from tfdual.data.order import rebatched, stored
from tfdual.data.row_mask import RowMask
from tfdual.data.row_stream import RowStream
from tfdual.data.sources.memory import MemorySource
from tfdual.data.sources.source import Source
from tfdual.data.validation import ValidationReport
from tfdual.schema import Schema


class Rows:
    """The rows of a source, with the schema that types them. Made by `tfdual.read`.

    Rows are streamed: what is in memory at a time is a few row groups. Every value is checked against the schema as
    it passes.

    Args:
        source: Source.
        schema: Schema. The columns to read; others are left where they are.
        mask: RowMask. The rows in use. Defaults to `None`: all.

    Attributes:
        report: ValidationReport of the pass that put bad rows aside; None where `on_error="raise"`.

    Raises:
        ValueError: the source lacks a column, or the schema has none.
        TypeError: a column has a type that can't become the schema's.

    Example:
        >>> from tfdual import read
        >>> rows = read({"user_id": [7, 8, 9]}, Schema(["user_id"]))
        >>> [batch["user_id"].numpy().tolist() for batch in rows.batch(2)]
        [[7, 8], [9]]
    """

    def __init__(self, source: Source, schema: Schema, mask: RowMask | None = None) -> None:
        if not len(schema):
            raise ValueError("Rows need a schema of at least one column. Received an empty one.")
        check_schema(schema)
        for file, found in source.arrow_schemas.items():
            check_columns(found, schema, file, source.is_text, source.is_sampled)
        if source.is_sampled:
            _warn_of_unseen(source, schema)
        self.schema = schema
        self.report: ValidationReport | None = None
        self._stream = RowStream(source, schema, mask)

    @property
    def source(self) -> str:
        """What messages call the source."""
        return self._stream.source.name

    @property
    def stream(self) -> RowStream:
        """Source and mask: what splits, joins and validation work on."""
        return self._stream

    def __len__(self) -> int:
        """Rows in use. Where no metadata tells (CSV, JSON lines, TFRecord), the first use reads the source once."""
        return sum(self._stream.part_rows)

    def tables(self, size: int = 65_536) -> Iterator[pa.Table]:
        """The rows as Arrow tables of `size` rows, in stored order.

        Raises:
            ValueError: a row breaks a rule; the message names file, row and column.
        """
        return rebatched(stored(self._stream), size, drop_remainder=False)

    def to_arrow(self) -> pa.Table:
        """All rows as one Arrow table, in memory."""
        return pa.concat_tables([arrow_schema(self.schema).empty_table(), *self._stream.tables()])

    def to_pandas(self) -> Any:
        """All rows as a pandas frame, in memory; nullable integers as pandas' `Int64` and `Int32`, which stay exact.

        Raises:
            ImportError: pandas is not installed.
        """
        pandas = require("pandas", extra="frames")
        types = {pa.int64(): pandas.Int64Dtype(), pa.int32(): pandas.Int32Dtype()}
        table = self.to_arrow()
        frame = table.to_pandas()
        for column in self.schema:
            if column.nullable and not column.is_list and column.dtype in ("int64", "int32"):
                frame[column.name] = table.select([column.name]).to_pandas(types_mapper=types.get)[column.name]
        return frame

    def take(self, n: int) -> list[dict[str, Any]]:
        """The first `n` rows as Python values; no more is read than the blocks that hold them.

        Raises:
            ValueError: `n` is negative, or a row of those blocks breaks a rule.
        """
        if n < 0:
            raise ValueError(f"take() gives the first n rows, n >= 0. Received {n}.")
        table = next(self.tables(n), None) if n else None
        return [] if table is None else table.to_pylist()

    def select(self, schema: Schema) -> "Rows":
        """The same rows, typed by another schema: fewer columns, other tags."""
        return Rows(self._stream.source, schema, self._stream.mask)

    def where(self, mask: RowMask) -> "Rows":
        """The rows that `mask` keeps; it has one entry for each row of these rows.

        Raises:
            ValueError: the mask has another length.
        """
        if len(mask) != len(self):
            raise ValueError(f"The mask must have one entry a row: {len(self)}. Received {len(mask)}.")
        if self._stream.mask is not None:
            mask = mask.inside(self._stream.mask)
        return Rows(self._stream.source, self.schema, mask)

    def shard(self, index: int, count: int) -> "Rows":
        """Part `index` of `count` parts of consecutive rows, whose sizes differ by at most one row.

        A worker reads only the row groups that hold its rows. Every row is in exactly one shard.

        Raises:
            ValueError: `index` is not in `0 .. count - 1`, or a shard would hold no row.
        """
        if not 0 <= index < count:
            raise ValueError(f"shard() takes 0 <= index < count. Received index={index}, count={count}.")
        if count > len(self):
            raise ValueError(f"{len(self)} rows can't be cut into {count} shards. Use fewer workers.")
        rows = len(self)
        return self.where(RowMask.ranges(rows, [(index * rows // count, (index + 1) * rows // count)]))

    def unique(self, by: str) -> "Rows":
        """The first row of each value of the column `by`, held in memory; a missing value is a value.

        The column is read as a whole to find those rows, and then no more of the others than the parts they are in.

        Raises:
            KeyError: the schema has no such column.
            TypeError: the column holds lists.
        """
        if self.schema[by].is_list:
            raise TypeError(f"unique() needs a column of single values. '{by}' holds lists.")
        keys = self.select(self.schema.select_by_name(by)).to_arrow().column(by)
        numbers = keys.dictionary_encode("encode").combine_chunks().indices.to_numpy(zero_copy_only=False)
        is_first = np.zeros(len(numbers), bool)
        is_first[np.unique(numbers, return_index=True)[1]] = True
        return Rows(MemorySource(self.where(RowMask([is_first])).to_arrow(), self.source), self.schema)

    def batch(
        self, size: int, shuffle: bool = False, seed: int | None = None, drop_remainder: bool = False, start: int = 0
    ) -> tf.data.Dataset:
        """Batches for `model.fit`, each epoch in a new order where `shuffle` is set.

        Args:
            size: int. Rows a batch.
            shuffle: bool. Shuffle in bounded memory (row groups, then windows of 524,288 rows). Defaults to `False`.
            seed: int. Makes the orders of all epochs repeatable. Defaults to `None`: random.
            drop_remainder: bool. Leave out a last batch of fewer rows. Defaults to `False`.
            start: int. Batches that an interrupted run has used already, over all its epochs, such as
                `int(model.optimizer.iterations)`. The first pass is the rest of the epoch in which that run stopped,
                the same rows in the same order; what lies before is skipped, mostly without being read. Defaults to 0.

        Returns:
            `tf.data.Dataset` of dict: name -> Tensor `(batch,)`, vectors `(batch, width)`, lists RaggedTensor.
            Each pass over it is an epoch, and the next one begins when the last batch was taken. A pass that is broken
            off (a look at the first batch, `take`) doesn't count: the next pass is the same epoch again. So are two
            passes at the same time, e.g. of `tf.data.Dataset.zip`. (Where a prefetch follows, a look at an epoch of two
            or three batches may take it whole.) The cardinality is the number of batches of a whole
            epoch, also where a first pass is shorter; Keras then warns that the data ran out, and goes on rightly.

        Raises:
            TypeError: a size that is no whole number.
            ValueError: a size below 1, no row, a seed without `shuffle`, a negative seed, or a start without a seed.
        """
        if not isinstance(size, Integral):
            raise TypeError(f"The size of a batch is a whole number of rows. Received {size!r}.")
        if size < 1:
            raise ValueError(f"A batch has at least 1 row. Received size={size}.")
        if start < 0:
            raise ValueError(f"start is the number of batches used before, 0 or more. Received {start}.")
        if seed is not None and not shuffle:
            raise ValueError(f"seed={seed} has no effect without shuffle=True. Set shuffle, or leave out the seed.")
        if seed is not None and seed < 0:
            raise ValueError(f"A seed is 0 or more. Received {seed}.")
        if start and shuffle and seed is None:
            raise ValueError(f"start={start} needs the seed of the interrupted run, which tells its order. Give seed.")
        plan = Plan(int(size), shuffle, random_seed() if seed is None else seed, drop_remainder, start)
        if not plan.batches(len(self)):
            raise ValueError(
                f"{self.source} has {len(self)} rows: no batch of {size}. Give more rows, or a lower size."
            )
        return to_dataset(self._stream, plan)


def _warn_of_unseen(source: Source, schema: Schema) -> None:
    """Tell of columns that may stand in later rows, or be mistyped."""
    seen = {name for found in source.arrow_schemas.values() for name in found.names}
    if unseen := [name for name in schema.column_names if name not in seen]:
        warnings.warn(
            f"The first rows of {source.name} hold no {unseen}: a row without them has missing values. They hold "
            f"{sorted(seen)}; correct the schema if a name is mistyped.",
            stacklevel=4,
        )
