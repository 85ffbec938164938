"""Rows that are in memory: Arrow tables, pandas and polars frames, a dict of arrays."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual._optional import is_frame
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.sources.views import without_views

PART_ROWS = 131_072


class MemorySource(Source):
    """An Arrow table.

    Args:
        table: pyarrow.Table.
        name: str. How messages name it. Defaults to `"The table"`.
    """

    def __init__(self, table: pa.Table, name: str = "The table") -> None:
        super().__init__(name)
        self._table = table
        starts = range(0, table.num_rows, PART_ROWS)
        self._parts = [Part(name, i, start, min(PART_ROWS, table.num_rows - start)) for i, start in enumerate(starts)]

    @property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The table's schema."""
        return {self.name: self._table.schema}

    @property
    def parts(self) -> list[Part]:
        """Slices of the table."""
        return self._parts

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """Slices of the part; nothing but views is copied."""
        table = self._table.select(wanted.names)
        end = part.first_row + (part.rows or 0)
        for start in range(part.first_row, end, size):
            yield Block(without_views(table.slice(start, min(size, end - start))))


def in_memory(source: Any) -> MemorySource | None:
    """A table, a frame or a dict of arrays as a source; None for anything else.

    Raises:
        ValueError: arrays of a dict differ in length, or an array has no Arrow type.
    """
    if isinstance(source, Mapping):
        return MemorySource(_from_arrays(source), "The dict")
    table = as_table(source)
    if table is None:
        return None
    return MemorySource(table) if isinstance(source, pa.Table | pa.RecordBatch) else MemorySource(table, "The frame")


def as_table(source: Any) -> pa.Table | None:
    """An Arrow table or batch, or a frame of pandas or polars, as a table; None for anything else.

    Raises:
        ValueError: a column of a frame mixes types.
    """
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if is_frame(source, "pandas"):
        return _from_pandas(source)
    if is_frame(source, "polars"):
        return source.to_arrow()
    return source if isinstance(source, pa.Table) else None


def _column(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, str | bytes | Mapping):
        raise TypeError(f"{values!r:.40} is one {type(values).__name__}")
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pa.array(values)


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except pa.ArrowException as error:
        raise ValueError(f"The frame has a column that mixes types: {error}. Give the column one type.") from error


def _from_arrays(arrays: Mapping[str, Any]) -> pa.Table:
    columns = {}
    for name, values in arrays.items():
        try:
            columns[name] = _column(values)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise ValueError(f"'{name}' of the dict is no column: {error}. Give an array or list a column.") from error
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The arrays of a dict must have one length. Received {lengths}.")
    return pa.table(columns)
