"""Rows with columns that are computed as the rows pass."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import arrow_schema
from tfdual.data.conform import conform
from tfdual.data.row_stream import RowStream
from tfdual.data.sources.source import Block, Part, Source
from tfdual.schema import Schema

Compute: TypeAlias = Callable[[pa.Table, np.ndarray, Sequence[str]], dict[str, pa.Array]]


class DerivedSource(Source):
    """Rows and further columns.

    Both are checked here, where the place of a row in its file is known; rows that are not in use are gone
    afterwards.

    Args:
        stream: RowStream. The rows in use of another source.
        added: Schema. The further columns.
        needs: the columns of `stream` that computing them takes.
        compute: function of (table of the rows that pass, with the columns `needs`; their positions among the rows in
            use; the names wanted) that gives the columns wanted.
    """

    def __init__(self, stream: RowStream, added: Schema, needs: Sequence[str], compute: Compute) -> None:
        super().__init__(stream.source.name)
        self._stream = stream
        self._added = added
        self._needs = list(needs)
        self._compute = compute

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of the rows, then the further ones."""
        both = arrow_schema(self._stream.schema + self._added)
        return dict.fromkeys(self._stream.source.arrow_schemas, both)

    @cached_property
    def parts(self) -> Sequence[Part]:
        """The parts of the rows, with the number of rows in use."""
        parts = self._stream.source.parts
        masked = self._stream.mask is not None
        rows = self._stream.part_rows if masked else [part.rows for part in parts]
        return [replace(part, index=i, rows=n) for i, (part, n) in enumerate(zip(parts, rows, strict=True))]

    def count(self, part: Part) -> int:
        """Rows in use of a part."""
        return self._stream.part_rows[part.index]

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """Rows of the part with the further columns.

        Raises:
            ValueError: a row breaks a rule; the message names file, row and column.
        """
        added = self._added.select_by_name([name for name in self._added.column_names if name in wanted.names])
        names = self._stream.schema.column_names
        needed = {*wanted.names, *(self._needs if len(added) else ())}
        own = [name for name in names if name in needed] or names[:1]
        stream = replace(self._stream, schema=self._stream.schema.select_by_name(own))
        position = sum(self._stream.part_rows[: part.index]) if part.index else 0
        for piece, whole in stream.conforming([part.index]):
            for start in range(0, whole.num_rows, size):
                table = whole.slice(start, size)
                if len(added):
                    positions = np.arange(position + start, position + start + table.num_rows)
                    further = pa.table(self._compute(table, positions, added.column_names))
                    further, faults = conform(further, added)
                    piece.refuse(faults, start)
                    for name in added.column_names:
                        table = table.append_column(name, further.column(name))
                yield Block(table.select(wanted.names))
            position += whole.num_rows
