"""CSV and TSV files."""

import codecs
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from tfdual.data.csv_format import CsvFormat
from tfdual.data.faults import fault
from tfdual.data.sources.csv_faults import with_swallowed, without_marks
from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.sources.utf8 import MARK, ToUtf8, shown

SUFFIXES = (".csv", ".tsv")
SEPARATORS = ",\t;|"
BLOCK_BYTES = 4 << 20
HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class Start:
    """What the start of a file tells.

    Args:
        separator: str.
        names: sequence of str. Of the columns.
        first_number: int. Arrow's number of the first row that is no header.
        has_rows: bool. Whether something follows the header.
    """

    separator: str
    names: Sequence[str]
    first_number: int
    has_rows: bool


class CsvSource(Source):
    """CSV, read as a `CsvFormat` says; by default the header tells the separator (comma, tab, semicolon or bar).

    Values stay text here, so that each can be checked by itself. An empty field that is not quoted is null. A row
    of too few or too many fields is malformed, and so is one of a TSV whose quotes hold a tab and an end of line. An
    empty file holds no row; Spark writes such files.

    Args:
        files: Files.
        written: CsvFormat. Defaults to `CsvFormat()`.

    Raises:
        ValueError: a file has no header, or one of another encoding, or not the fields that `written` names, or every
            file is empty.
    """

    is_text = True

    def __init__(self, files: Files, written: CsvFormat | None = None) -> None:
        super().__init__(files.name)
        self._paths = {files.label(path): path for path in files.paths}
        self._files = files
        self._written = written or CsvFormat()
        starts = {label: self._start(label) for label in self._paths}
        self._starts = {label: start for label, start in starts.items() if start is not None}
        if not self._starts:
            raise ValueError(f"{self.name} has no rows: nothing stands in it. Write a header and at least one row.")

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        return self._written.column_names is None

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """Every column as text."""
        return {
            label: pa.schema([(name, pa.string()) for name in start.names]) for label, start in self._starts.items()
        }

    @cached_property
    def parts(self) -> list[Part]:
        """The files that aren't empty."""
        return [Part(label) for label in self._starts]

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The file in blocks of about 4 MiB; malformed rows are null, and a fault."""
        start = self._starts[part.file]
        if not start.has_rows:
            return
        invalid: deque[csv.InvalidRow] = deque()

        def skip(row: csv.InvalidRow) -> str:
            invalid.append(row)
            return "skip"

        to_utf8 = ToUtf8(self._written.encoding)
        with reading(part.file, "CSV"), _naming_open_quotes():
            reader = csv.open_csv(
                self._open(part.file, to_utf8),
                csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=self._written.column_names),
                self._parse_options(start.separator, skip),
                csv.ConvertOptions(
                    check_utf8=False,
                    column_types={name: pa.binary() for name in start.names},
                    include_columns=wanted.names,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            for block in _with_invalid(reader, invalid, start.first_number):
                if to_utf8.has_marked:
                    block = without_marks(block)
                if start.separator == "\t" and self._written.quote is not None:
                    block = with_swallowed(block)
                yield block

    def _open(self, label: str, to_utf8: ToUtf8) -> pa.NativeFile:
        return pa.TransformInputStream(self._files.open(self._paths[label]), to_utf8)

    def _parse_options(
        self, separator: str, handler: Callable[[csv.InvalidRow], str] | None = None
    ) -> csv.ParseOptions:
        quote = self._written.quote
        return csv.ParseOptions(
            delimiter=separator,
            quote_char=quote or False,
            escape_char=self._written.escape or False,
            newlines_in_values=quote is not None,
            invalid_row_handler=handler,
        )

    def _start(self, label: str) -> Start | None:
        """What the start of a file tells; None of an empty one."""
        with reading(label, "CSV"), self._open(label, ToUtf8(self._written.encoding)) as stream:
            start = stream.read(HEADER_BYTES).removeprefix(codecs.BOM_UTF8).strip(b"\r\n")
        if not start:
            return None
        line = _first_line(start, self._written)
        names = self._written.column_names
        separator = self._written.separator or _separator(line, self._written)
        fields = self._fields(label, line, separator)
        if names is None:
            return Start(separator, fields, first_number=2, has_rows=line != start)
        if len(names) != len(fields):
            raise ValueError(
                f"The first row of {label} has {len(fields)} fields, {fields}, and CsvFormat names {len(names)} "
                f"columns, {list(names)}. Name every column, and the separator if it is not {separator!r}."
            )
        return Start(separator, names, first_number=1, has_rows=True)

    def _fields(self, label: str, line: bytes, separator: str) -> list[str]:
        """The fields of the first line, which has to be text if it is the header."""
        problem = f"{label} can't be read as CSV: its first line is no header of column names"
        if self.has_header and (MARK.encode() in line or b"\0" in line):
            raise ValueError(
                f"{problem} in {self._written.encoding}. Name the encoding, e.g. csv=CsvFormat(encoding='latin-1') or "
                "'utf-16'."
            )
        try:
            block = pa.BufferReader(line + b"\n")
            return csv.read_csv(block, parse_options=self._parse_options(separator)).column_names
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"{problem}. Write one, or name the columns: csv=CsvFormat(column_names=[...])."
            ) from error


def _without_escaped(start: bytes, written: CsvFormat) -> bytes:
    """As many bytes, with spaces in place of escaped quotes."""
    if written.escape is None:
        return start
    escape, quote = (re.escape(mark.encode()) for mark in (written.escape, written.quote or ""))
    return re.sub(escape + b"[" + escape + quote + b"]", b"  ", start)


def _first_line(start: bytes, written: CsvFormat) -> bytes:
    """Up to the first end of line that stands in no quotes."""
    plain = _without_escaped(start, written)
    ends = (each.start() for each in re.finditer(rb"[\r\n]", plain))
    mark = (written.quote or "").encode()
    return next((start[:end] for end in ends if not mark or plain.count(mark, 0, end) % 2 == 0), start)


def _separator(line: bytes, written: CsvFormat) -> str:
    """What stands most often outside quotes; where the columns are named, what parts as many fields."""
    plain = _without_escaped(line, written).decode()
    if written.quote is not None:
        plain = re.sub("{0}[^{0}]*{0}".format(re.escape(written.quote)), "", plain)
    wanted = len(written.column_names or ()) - 1
    return max(SEPARATORS, key=lambda each: (plain.count(each) == wanted > 0, plain.count(each)))


@contextmanager
def _naming_open_quotes() -> Iterator[None]:
    """Say what Arrow may mean where it finds no end of a row."""
    try:
        yield
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
        raise pa.ArrowInvalid(
            "a row is longer than 4 MiB, maybe because a quote is never closed. Where quotes inside the fields stand "
            "behind a backslash, pass csv=CsvFormat(escape='\\\\'), and where they are text like any other, "
            "csv=CsvFormat(quote=None)"
        ) from error


def _with_invalid(reader: csv.CSVStreamingReader, invalid: deque[csv.InvalidRow], first_number: int) -> Iterator[Block]:
    """Rows of null where the file holds rows that can't be parsed; the reader may know of such rows of later blocks."""
    first = 0
    for batch in itertools.chain(reader, [reader.schema.empty_table()]):
        table = pa.table(batch.columns, schema=reader.schema)
        texts: dict[int, str] = {}
        while invalid and invalid[0].number - first_number - first <= table.num_rows + len(texts):
            row = invalid.popleft()
            texts[row.number - first_number - first] = shown(row.text)
        if table.num_rows or texts:
            yield _block(table, texts)
        first += table.num_rows + len(texts)


def _block(table: pa.Table, texts: dict[int, str]) -> Block:
    if not texts:
        return Block(table)
    valid = np.ones(table.num_rows + len(texts), bool)
    valid[list(texts)] = False
    indices = pa.array(np.cumsum(valid) - 1, mask=~valid)
    found = fault("", "malformed", np.array(list(texts)), list(texts.values()))
    return Block(table.take(indices), [found], texts)
