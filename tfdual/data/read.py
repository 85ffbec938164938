"""`tfdual.read`: any source of rows, opened by what it is."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tfdual.data.arrow_types import arrow_schema
from tfdual.data.conform import conform
from tfdual.data.csv_format import CsvFormat
from tfdual.data.open_source import open_columns
from tfdual.data.quarantine import quarantined
from tfdual.data.row_mask import RowMask
from tfdual.data.rows import Rows
from tfdual.data.sources.parquet import ParquetSource, about_filter
from tfdual.schema import Schema


def read(
    source: Any,
    schema: Schema,
    *,
    query: str | None = None,
    format: str | None = None,
    filter: pc.Expression | Sequence[Any] | None = None,
    on_error: Literal["raise", "quarantine"] = "raise",
    quarantine: str | Path | None = None,
    storage_options: Mapping[str, Any] | None = None,
    csv: CsvFormat | None = None,
) -> Rows:
    """Open rows, to be streamed.

    Args:
        source: a file, a directory or a glob, local or remote (`s3://bucket/ratings/*.parquet`), of Parquet, CSV, JSON
            lines, Arrow IPC or TFRecord; the URL of a database (`postgresql+psycopg://host/shop`), with `query`; an
            Arrow table; a pandas or polars frame; a dict of arrays.
        schema: Schema. The columns to read, with their types and tags.
        query: str. A SELECT or the name of a table, for a database. Defaults to `None`.
        format: str. `"parquet"`, `"csv"`, `"jsonl"`, `"arrow"` or `"tfrecord"`, where the name doesn't tell.
            Defaults to `None`.
        filter: the rows to keep: an Arrow expression such as `pc.field("year") >= 2020`, or tuples such as
            `[("year", ">=", 2020)]`. Parquet folders and row groups that it rules out are not read. Defaults to
            `None`: all rows.
        on_error: str. What to do with a row that breaks a rule of the schema: `"raise"` when it is met, or
            `"quarantine"`: look for such rows now, in one pass, write them aside and use the others. Defaults to
            `"raise"`.
        quarantine: path of the Parquet file to write such rows to, with the reasons. Defaults to `None`.
        storage_options: for the remote file system, as fsspec takes them. Defaults to none.
        csv: CsvFormat. How CSV files are written, where they have no header, another encoding or quotes that are text.
            Defaults to `None`: as their headers tell.

    Returns:
        `Rows`; but for a quarantine, a filter and a database, nothing except metadata has been read.

    Raises:
        FileNotFoundError: there is nothing at that path.
        FileExistsError: the quarantine file is there already.
        ImportError: a package of an extra is not installed; the message names the extra.
        ValueError: a file is not of its format or lacks a column, or there is no row, or none that the filter keeps.
        TypeError: a column's type is not the schema's, or the source, the schema or the filter is of an unknown kind.

    Example:
        >>> from tfdual import ColumnSchema
        >>> read({"age": [31]}, Schema([ColumnSchema("age", dtype="float32")])).take(1)
        [{'age': 31.0}]
    """
    if on_error not in ("raise", "quarantine"):
        raise ValueError(f'on_error is "raise" or "quarantine". Received {on_error!r}.')
    if (quarantine is not None) != (on_error == "quarantine"):
        raise ValueError("on_error='quarantine' and quarantine=PATH go together. Give both, or none of them.")
    expression = pq.filters_to_expression(list(filter)) if isinstance(filter, list | tuple) else filter
    if not isinstance(expression, pc.Expression | None):
        raise TypeError(
            'A filter is an Arrow expression such as pc.field("year") >= 2020, or a list of tuples such as '
            f'[("year", ">=", 2020)]. Received {filter!r}.'
        )
    opened = open_columns(source, schema, query, format, storage_options, csv)
    if expression is not None and isinstance(opened, ParquetSource):
        opened = opened.where(expression)
    rows = Rows(opened, schema)
    if expression is not None:
        rows = _filtered(rows, expression)
    if quarantine is not None:
        rows = quarantined(rows, Path(quarantine))
    if not _has_rows(rows):
        if expression is not None:
            raise ValueError(f"The filter {expression} leaves no row of {opened.name}. Change the filter.")
        raise ValueError(f"{opened.name} has no rows. Write at least one row, or name another source.")
    return rows


def _filtered(rows: Rows, expression: pc.Expression) -> Rows:
    source = rows.stream.source
    if isinstance(source, ParquetSource):
        return rows.where(RowMask(keep for part in source.parts for keep in source.matches(part)))

    def matches() -> Iterator[np.ndarray]:
        for piece in rows.stream.pieces():
            table, faults = conform(piece.block.table, rows.schema, piece.block.faults)
            keep = ds.dataset(table).to_table(columns={"keep": expression}).column(0)
            bad = np.isin(np.arange(table.num_rows), np.concatenate([[-1], *(fault.rows for fault in faults)]))
            # Where a fault leaves the filter without a value, the row stays, to be reported.
            yield pc.if_else(keep.is_null(), pa.array(bad), keep).to_numpy()

    try:
        return rows.where(RowMask(matches()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(about_filter(expression, arrow_schema(rows.schema), error)) from error


def _has_rows(rows: Rows) -> bool:
    if rows.stream.mask is not None:
        return rows.stream.mask.count() > 0
    known = [part.rows for part in rows.stream.source.parts]
    return any(known) or (None in known and any(piece.block.table.num_rows for piece in rows.stream.pieces()))
