"""A Parquet file of item embeddings, while it is written."""

import contextlib
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfdual._arrow_arrays import to_numpy
from tfdual.index.item_ids import shown
from tfdual.serving.embedding_hashes import RowsHash
from tfdual.serving.embedding_parts import AGAIN, EMBEDDING, Part, part_name

ELEMENT = pa.field("element", pa.float32(), nullable=False)


class HashedFile(io.BufferedWriter):
    """A new file, and the SHA-256 of what was written to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w"))
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write bytes from the start to the end, as Parquet is written."""
        self.sha256.update(data)
        return super().write(data)


class PartWriter:
    """A part that is being written, batch by batch, under a hidden name. `close` removes it unless it was finished.

    Args:
        folder: path.
        number: int. Which part.
        item_id: str. The id column.
        attributes: names of the columns to keep beside it.
        dim: int. Width of the embeddings; None: that of the first batch.
    """

    def __init__(self, folder: Path, number: int, item_id: str, attributes: Sequence[str], dim: int | None) -> None:
        self.path, self.dim = folder / part_name(number), dim
        self._aside = folder / f".{self.path.name}.writing"
        self._item_id, self._attributes = item_id, list(attributes)
        self._source, self._rows = RowsHash(), 0
        self._file = HashedFile(self._aside)
        self._writer: pq.ParquetWriter | None = None

    def append(self, rows: pa.Table, embeddings: np.ndarray) -> None:
        """Write a batch.

        Raises:
            ValueError: the embeddings hold NaN or infinity, or are of another width than those before.
        """
        if not np.isfinite(embeddings).all():
            bad = rows[self._item_id][int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])].as_py()
            raise ValueError(
                f"The embedding of the item {shown(bad)!r} holds NaN or infinity. Train with a lower learning rate."
            )
        if self.dim not in (None, embeddings.shape[1]):
            raise ValueError(
                f"{self.path.parent} holds embeddings of width {self.dim}. Received {embeddings.shape[1]}. {AGAIN}"
            )
        self.dim = embeddings.shape[1]
        self._source.update(rows)
        kept = [_without_nulls(rows[name]) for name in (self._item_id, *self._attributes)]
        self._write(pa.table([*kept, _lists(embeddings)], self._schema(rows.schema)))

    def _schema(self, rows: pa.Schema) -> pa.Schema:
        kept = [rows.field(name) for name in (self._item_id, *self._attributes)]
        return pa.schema([*kept, pa.field(EMBEDDING, pa.list_(ELEMENT, self.dim), nullable=False)])

    def _write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._file,
                table.schema,
                compression="none",
                use_dictionary=self._attributes,  # ids hardly repeat
                write_statistics=[self._item_id, *self._attributes],
            )
        self._writer.write_table(table)
        self._rows += table.num_rows

    def finish(self) -> Part:
        """End the file, and give it its name."""
        assert self._writer is not None
        self._writer.close()
        size = self._file.tell()
        self._file.close()
        self._aside.rename(self.path)
        return Part(self._rows, size, self._file.sha256.hexdigest(), self._source.hexdigest())

    def close(self) -> None:
        """Remove what was written, unless it has its name already."""
        with contextlib.suppress(OSError, pa.ArrowException):
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._aside.unlink(missing_ok=True)


def _without_nulls(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """The column with the marks of missing values that a retriever gives."""
    return pa.array(to_numpy(column), column.type) if column.null_count else column


def _lists(embeddings: np.ndarray) -> pa.Array:
    """`(rows, dim)` as lists of fixed size, without a copy."""
    flat = pa.array(np.ascontiguousarray(embeddings).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(ELEMENT, embeddings.shape[1]))
