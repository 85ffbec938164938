"""CSV and TSV files with a header."""

import codecs
import itertools
import re
from collections import deque
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from tfdual.data.faults import fault
from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source

SUFFIXES = (".csv", ".tsv")
SEPARATORS = ",\t;|"
BLOCK_BYTES = 4 << 20
HEADER_BYTES = 1 << 20
HEADER_ROWS = 2  # Arrow counts rows from 1, the header first.


class CsvSource(Source):
    """CSV with a header; the separator (comma, tab, semicolon or bar) is told by the header.

    Values stay text here, so that each can be checked by itself. An empty field that is not quoted is null. A row
    of too few or too many fields is malformed. An empty file holds no row; Spark writes such files.

    Args:
        files: Files.

    Raises:
        ValueError: a file has no header, or one that is not UTF-8, or every file is empty.
    """

    is_text = True

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self._paths = {files.label(path): path for path in files.paths}
        self._files = files
        headers = {label: self._header(label) for label in self._paths}
        self._headers = {label: header for label, header in headers.items() if header is not None}
        if not self._headers:
            raise ValueError(f"{self.name} has no rows: nothing stands in it. Write a header and at least one row.")

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """Every column as text."""
        return {
            label: pa.schema([(name, pa.string()) for name in names]) for label, (_, names, _) in self._headers.items()
        }

    @property
    def parts(self) -> list[Part]:
        """The files that aren't empty."""
        return [Part(label) for label in self._headers]

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The file in blocks of about 4 MiB; malformed rows are null, and a fault."""
        separator, names, is_alone = self._headers[part.file]
        if is_alone:
            return
        invalid: deque[csv.InvalidRow] = deque()

        def skip(row: csv.InvalidRow) -> str:
            invalid.append(row)
            return "skip"

        with reading(part.file, "CSV"):
            reader = csv.open_csv(
                self._files.open(self._paths[part.file]),
                csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
                csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=skip),
                csv.ConvertOptions(
                    check_utf8=False,
                    column_types={name: pa.binary() for name in names},
                    include_columns=wanted.names,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            yield from _with_invalid(reader, invalid)

    def _header(self, label: str) -> tuple[str, list[str], bool] | None:
        """The separator, the names, and whether nothing follows; None of an empty file."""
        with reading(label, "CSV"), self._files.open(self._paths[label]) as stream:
            start = stream.read(HEADER_BYTES).removeprefix(codecs.BOM_UTF8).strip(b"\r\n")
        if not start:
            return None
        line = _first_line(start)
        try:
            text = line.decode()
            separator = max(SEPARATORS, key=text.count)
            block = pa.BufferReader(text.encode() + b"\n")
            options = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
            names = csv.read_csv(block, parse_options=options).column_names
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise ValueError(f"{label} can't be read as CSV: its first line is no header of column names.") from error
        return separator, names, line == start


def _first_line(start: bytes) -> bytes:
    """Up to the first end of line that stands in no quotes."""
    ends = (each.start() for each in re.finditer(rb"[\r\n]", start))
    return next((start[:end] for end in ends if start.count(b'"', 0, end) % 2 == 0), start)


def _with_invalid(reader: csv.CSVStreamingReader, invalid: deque[csv.InvalidRow]) -> Iterator[Block]:
    """Rows of null where the file holds rows that can't be parsed; the reader may know of such rows of later blocks."""
    first = 0
    for batch in itertools.chain(reader, [reader.schema.empty_table()]):
        table = pa.table(batch.columns, schema=reader.schema)
        texts: dict[int, str] = {}
        while invalid and invalid[0].number - HEADER_ROWS - first <= table.num_rows + len(texts):
            row = invalid.popleft()
            texts[row.number - HEADER_ROWS - first] = row.text
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
