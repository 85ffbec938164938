"""Bad rows aside, with the reason, so that training goes on and nothing is lost."""

import json
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfdual.data.conform import conform
from tfdual.data.faults import Fault, readable
from tfdual.data.row_mask import RowMask
from tfdual.data.row_stream import Piece
from tfdual.data.rows import Rows
from tfdual.data.validation import ValidationReport, plain

COLUMNS = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("reasons", pa.list_(pa.string())), ("data", pa.string())]
)


def quarantined(rows: Rows, path: Path) -> Rows:
    """Write the rows that break a rule to `path`, and give the others.

    The Parquet file has the columns `file`, `row` (from 0, a header not counted), `reasons` and `data`, the row as
    JSON or, where it can't be parsed, as it stands in its file. It is there when the pass is over, also if no row is
    bad.

    Raises:
        FileExistsError: the file is there already.
        ValueError: no row is good.
    """
    _refuse_what_is_there(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    report = ValidationReport()
    partial = path.with_name(f".writing-{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with pq.ParquetWriter(partial, COLUMNS) as writer:
            mask = RowMask(_kept(rows, report, writer))
        if report.rows and report.bad_rows == report.rows:
            raise ValueError(f"All {report.rows} rows of {rows.source} break a rule:\n{report!r}")
        _publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    logging.getLogger("tfdual").warning(
        "%s of %s rows of %s are put aside in %s.", f"{report.bad_rows:,}", f"{report.rows:,}", rows.source, path
    )
    good = rows.where(mask)
    good.report = report
    return good


def _publish(partial: Path, path: Path) -> None:
    """Give the file its name, unless another process has taken that name since."""
    try:
        os.link(partial, path)  # A rename would replace what is there.
    except OSError:
        _refuse_what_is_there(path)
        partial.rename(path)  # The file system has no hard links.


def _refuse_what_is_there(path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path} is there already. Move it away, or name another quarantine file.")


def _kept(rows: Rows, report: ValidationReport, writer: pq.ParquetWriter) -> Iterator[np.ndarray]:
    for piece in rows.stream.pieces():
        _, faults = conform(piece.block.table, rows.schema, piece.block.faults)
        bad = report.add(piece, faults)
        if len(bad):
            writer.write_table(_records(piece, faults, bad))
        kept = np.ones(len(piece.rows), bool)
        kept[bad] = False
        yield kept


def _records(piece: Piece, faults: list[Fault], bad: np.ndarray) -> pa.Table:
    reasons: dict[int, list[str]] = {row: [] for row in bad.tolist()}
    for each in faults:
        for row in each.rows.tolist():
            reasons[row].append(f"{each.column}: {each.rule}" if each.column else each.rule)
    texts = [
        piece.block.texts.get(row) or text for row, text in zip(bad.tolist(), _as_json(piece, faults, bad), strict=True)
    ]
    return pa.table([[piece.file] * len(bad), piece.rows[bad], list(reasons.values()), texts], schema=COLUMNS)


def _as_json(piece: Piece, faults: list[Fault], bad: np.ndarray) -> Iterator[str]:
    """Rows as JSON, with the values that the source could not represent in its types."""
    told = {(each.column, row): value for each in faults for row, value in zip(each.rows, each.values, strict=False)}
    table = piece.block.table
    for row in bad.tolist():
        values = {name: readable(table.column(name)[row]) for name in table.column_names}
        lost = {name: told.get((name, row)) for name, value in values.items() if value is None}
        yield json.dumps(plain(values | lost))
