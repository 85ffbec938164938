"""`tfdual.validate`: every row of a source against a schema, and what is wrong with which."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import arrow_type, fits, missing_columns
from tfdual.data.conform import conform
from tfdual.data.csv_format import CsvFormat
from tfdual.data.faults import RULES, SHOWN, Fault, short
from tfdual.data.open_source import open_columns
from tfdual.data.row_stream import Piece, RowStream
from tfdual.data.sources.source import Source
from tfdual.schema import Schema

HEADINGS = ("column", "rule", "rows", "first at", "value", "what to do")


@dataclass
class Finding:
    """Rows that break one rule in one column.

    Args:
        column: str. Empty where whole rows are at fault.
        rule: str. A key of `RULES`.
        count: int. How many rows.
        first: list of (file, row, value): the first few.
    """

    column: str
    rule: str
    count: int = 0
    first: list[tuple[str, int | None, Any]] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """The line of a table, under `HEADINGS`."""
        file, row, value = self.first[0] if self.first else ("", None, "")
        place = file if row is None else f"{file}:{row}"
        return (self.column or "(row)", self.rule, f"{self.count:,}", place, short(value, 40), RULES[self.rule])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        first = [{"file": file, "row": row, "value": plain(value)} for file, row, value in self.first]
        return {"column": self.column, "rule": self.rule, "count": self.count, "first": first}


class ValidationReport:
    """What `validate` found.

    Attributes:
        rows: int. Rows read.
        bad_rows: int. Rows that break some rule.
        findings: list of `Finding`, one a column and rule.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.bad_rows = 0
        self._findings: dict[tuple[str, str], Finding] = {}

    @property
    def findings(self) -> list[Finding]:
        """By column, then rule."""
        return [self._findings[key] for key in sorted(self._findings)]

    @property
    def is_valid(self) -> bool:
        """Whether no rule is broken and there is at least one row."""
        return not self._findings and self.rows > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        findings = [finding.to_dict() for finding in self.findings]
        return {"is_valid": self.is_valid, "rows": self.rows, "bad_rows": self.bad_rows, "findings": findings}

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def add(self, piece: Piece, faults: list[Fault]) -> np.ndarray:
        """Count a piece and its faults; gives the positions of the bad rows in it."""
        for each in faults:
            finding = self._finding(each.column, each.rule)
            finding.count += len(each.rows)
            for row, value in zip(each.rows[: SHOWN - len(finding.first)].tolist(), each.values, strict=False):
                finding.first.append((piece.file, int(piece.rows[row]), value))
        bad = np.unique(np.concatenate([np.zeros(0, np.int64), *(each.rows for each in faults)])).astype(np.int64)
        self.rows += len(piece.rows)
        self.bad_rows += len(bad)
        return bad

    def add_column(self, column: str, rule: str, file: str, rows: int, value: Any) -> None:
        """Count a column that is at fault as a whole, in all rows of a file."""
        finding = self._finding(column, rule)
        finding.count += rows
        if len(finding.first) < SHOWN:
            finding.first.append((file, None, value))

    def _finding(self, column: str, rule: str) -> Finding:
        return self._findings.setdefault((column, rule), Finding(column, rule))

    def __repr__(self) -> str:
        head = f"{self.rows:,} rows, {self.bad_rows:,} of them break a rule."
        if not self._findings:
            return head if self.rows else f"{head} A source needs at least one row."
        lines = [HEADINGS, *(each.cells() for each in self.findings)]
        widths = [max(len(line[i]) for line in lines) for i in range(5)] + [0]
        table = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([head, *table])


def validate(
    source: Any,
    schema: Schema,
    *,
    query: str | None = None,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    csv: CsvFormat | None = None,
    progress: Callable[[int], None] | None = None,
) -> ValidationReport:
    """Check every row of a source against a schema, in one streamed pass.

    Args:
        source: as `tfdual.read` takes it; so are `query`, `format`, `storage_options` and `csv`.
        schema: Schema. What the rows must be.
        progress: called with the number of rows after every block. Defaults to `None`.

    Returns:
        `ValidationReport`. Rows are counted from 0 in each file, a header not counted. A column that is missing, stands
        twice or has another type is reported for all rows of its file, and its values are not looked at.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: a file is not of its format, or breaks off.
        TypeError: a source of an unknown kind, or a schema that is none.

    Example:
        >>> from tfdual import ColumnSchema
        >>> report = validate({"age": [31.0, float("inf")]}, Schema([ColumnSchema("age", dtype="float32")]))
        >>> report.is_valid, report.rows, report.findings[0].rule, report.findings[0].first
        (False, 2, 'infinite', [('The dict', 1, inf)])
    """
    opened = open_columns(source, schema, query, format, storage_options, csv)
    wrong = [
        each for file, found in opened.arrow_schemas.items() for each in _wrong_columns(found, schema, file, opened)
    ]
    wrong_files = {file for _, _, file, _ in wrong}
    stream = RowStream(opened, schema.excluding_by_name({column for column, *_ in wrong}))
    report = ValidationReport()
    file_rows: dict[str, int] = {}
    for piece in stream.pieces() if len(stream.schema) else ():
        _, faults = conform(piece.block.table, stream.schema, piece.block.faults)
        bad = report.add(piece, faults)
        file_rows[piece.file] = file_rows.get(piece.file, 0) + len(piece.rows)
        if piece.file in wrong_files:
            report.bad_rows += len(piece.rows) - len(bad)
        if progress is not None:
            progress(report.rows)
    if not len(stream.schema):
        for part, rows in zip(opened.parts, opened.part_rows, strict=True):
            file_rows[part.file] = file_rows.get(part.file, 0) + rows
        report.rows = sum(file_rows.values())
        report.bad_rows = sum(file_rows.get(file, 0) for file in wrong_files)
    for column, rule, file, value in wrong:
        report.add_column(column, rule, file, file_rows.get(file, 0), value)
    return report


def _wrong_columns(found: pa.Schema, schema: Schema, file: str, source: Source) -> Iterator[tuple[str, str, str, Any]]:
    """Column, rule, file and value of the columns that are wrong as a whole."""
    missing = missing_columns(found, schema, source.is_sampled)
    for column in schema:
        name = column.name
        if name in missing:
            yield name, "missing column", file, found.names
        elif found.names.count(name) > 1:
            yield name, "duplicate column", file, found.names
        elif not source.is_text and not fits(found.field(name).type, column):
            yield name, "dtype", file, f"{found.field(name).type} instead of {arrow_type(column)}"


def plain(value: Any) -> Any:
    """A value as JSON has it; what JSON lacks (bytes, NaN, times) as text."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
