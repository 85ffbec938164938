"""Conforming rows, streamed part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import wanted_schema
from tfdual.data.conform import conform
from tfdual.data.faults import Fault, without_rows
from tfdual.data.row_mask import RowMask
from tfdual.data.sources.source import Block, Source
from tfdual.schema import ColumnSchema, Schema

WINDOW_ROWS = 524_288
WINDOW_BYTES = 256 << 20
READS_A_WINDOW = 8


@dataclass(frozen=True)
class Piece:
    """A block of rows with its place.

    Args:
        block: Block. The rows in use.
        file: str. Where they come from.
        rows: int array. Their positions in the file; a header is no row.
        positions: int array. Their positions in the source.
    """

    block: Block
    file: str
    rows: np.ndarray
    positions: np.ndarray

    def refuse(self, faults: Sequence[Fault], start: int = 0) -> None:
        """Raise for the first row that has a fault.

        Args:
            faults: of the rows from `start` on.
            start: int. Defaults to 0.

        Raises:
            ValueError: there is a fault; the message names file, row and column.
        """
        if faults:
            first = min(faults, key=lambda fault: int(fault.rows[0]))
            raise ValueError(first.message(self.file, int(self.rows[start + first.rows[0]])))


@dataclass(frozen=True)
class RowStream:
    """A source, the columns wanted of it, and the rows in use.

    Args:
        source: Source.
        schema: Schema.
        mask: RowMask. Defaults to `None`: all rows.
    """

    source: Source
    schema: Schema
    mask: RowMask | None = None

    @cached_property
    def part_rows(self) -> list[int]:
        """Rows in use of every part."""
        rows = self.source.part_rows
        if self.mask is None:
            return rows
        return [self.mask.count(start, start + n) for start, n in zip(self.part_starts, rows, strict=False)]

    @cached_property
    def part_starts(self) -> list[int]:
        """Position in the source of the first row of every part."""
        return np.cumsum([0, *self.source.part_rows]).tolist()

    @cached_property
    def window_rows(self) -> int:
        """Rows that are shuffled together: 524,288, or fewer where 256 MiB hold fewer, by what the schema tells."""
        return max(1, min(WINDOW_ROWS, WINDOW_BYTES // max(1, sum(_bytes(column) for column in self.schema))))

    def pieces(self, parts: Sequence[int] | None = None) -> Iterator[Piece]:
        """Blocks as the source holds them.

        Args:
            parts: which parts, in which order. Defaults to all, as stored.
        """
        wanted = wanted_schema(self.schema)
        size = max(1, self.window_rows // READS_A_WINDOW)
        every = self.source.parts
        start = 0
        for i in range(len(every)) if parts is None else parts:
            part = every[i]
            if parts is not None:
                start = self.part_starts[i] if i else 0
            if self.mask is not None and part.rows is not None and not self.mask.count(start, start + part.rows):
                start += part.rows
                continue
            row = part.first_row
            for block in self.source.blocks(part, wanted, size):
                count = block.table.num_rows
                yield self._piece(block, part.file, row, start)
                row += count
                start += count

    def _piece(self, block: Block, file: str, row: int, start: int) -> Piece:
        count = block.table.num_rows
        if self.mask is None:
            return Piece(block, file, np.arange(row, row + count), np.arange(start, start + count))
        kept = self.mask.between(start, start + count)
        positions = np.flatnonzero(kept)
        if len(positions) < count:
            texts = {int(kept[:at].sum()): text for at, text in block.texts.items() if kept[at]}
            table = block.table.filter(pa.array(kept))
            block = Block(table, without_rows(list(block.faults), kept), texts)
        return Piece(block, file, row + positions, start + positions)

    def conforming(self, parts: Sequence[int] | None = None) -> Iterator[tuple[Piece, pa.Table]]:
        """Pieces that hold a row, and their rows in exactly the schema's types.

        Raises:
            ValueError: a row breaks a rule; the message names file, row and column.
        """
        for piece in self.pieces(parts):
            if piece.block.table.num_rows:
                table, faults = conform(piece.block.table, self.schema, piece.block.faults)
                piece.refuse(faults)
                yield piece, table

    def tables(self, parts: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """Rows of exactly the schema's types. Raises as `conforming` does."""
        return (table for _, table in self.conforming(parts))


def _bytes(column: ColumnSchema) -> int:
    """Bytes of a value, about; texts count as 32 bytes and lists as eight values, so that no row need be read."""
    value = 32 if column.dtype == "string" else 8
    return value * (column.width or (8 if column.is_list else 1))
