"""`tfdual.infer_schema`: a first schema from the types of a source and a sample of its rows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from tfdual.data.arrow_types import check_names, is_list, is_text
from tfdual.data.csv_format import CsvFormat
from tfdual.data.faults import RULES, Fault, short, without_rows
from tfdual.data.open_source import open_source
from tfdual.data.sources.csv import CsvSource
from tfdual.data.sources.source import Block, Source
from tfdual.data.values import convert
from tfdual.schema import Schema
from tfdual.schema.inference import infer_columns
from tfdual.schema.sample_values import FLOAT


def infer_schema(
    source: Any,
    *,
    query: str | None = None,
    format: str | None = None,
    rows: int = 10_000,
    print_reasons: bool = True,
    storage_options: Mapping[str, Any] | None = None,
    csv: CsvFormat | None = None,
) -> Schema:
    """Guess dtype, kind and tags of every column, from its type, its name and its first values.

    What was guessed, and why, is printed to stderr, a line a column, and how many rows can't be parsed, or files have
    other columns than the first. Correct it with `schema.replace(...)`, or save it, edit the file and load it.

    Args:
        source: as `tfdual.read` takes it; so are `query`, `format`, `storage_options` and `csv`.
        rows: int. How many of the first rows to look at. Defaults to 10,000.
        print_reasons: bool. Defaults to `True`.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: a file is not of its format, or holds two columns of one name; files differ in the type of a column,
            or there is no row.

    Example:
        >>> schema = infer_schema({"user_id": [1, 2], "age": [31.0, 47.5]}, print_reasons=False)
        >>> schema["user_id"].kind, schema["age"].kind
        (<Kind.CATEGORICAL: 'categorical'>, <Kind.DENSE: 'dense'>)
    """
    opened = open_source(source, pa.schema([]), query, format, storage_options, csv)
    found = _Sample.of(opened, rows)
    schema, reasons = infer_columns(found.table, from_text=isinstance(opened, CsvSource))
    if print_reasons:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        asides = [*_numbers_as_names(opened), *_other_files(opened), *found.aside()]
        for line in [*asides, *(f"{name or repr(name)}: {why}{found.misfits(name)}" for name, why in reasons.items())]:
            console.print(line, markup=False)
    return schema


def sample(source: Source, rows: int) -> pa.Table:
    """The first rows of a source, but those that can't be parsed, with its physical columns.

    Raises:
        ValueError: there is no row, none is asked for, two columns have one name, or files differ in the type of a
            column.
    """
    return _Sample.of(source, rows).table


@dataclass(frozen=True)
class _Sample:
    """The first rows.

    Args:
        table: Table. Those that can be parsed.
        rows: int. All of them.
        faults: list of Fault.
    """

    table: pa.Table
    rows: int
    faults: list[Fault]

    @classmethod
    def of(cls, source: Source, rows: int) -> "_Sample":
        if rows < 1:
            raise ValueError(f"A schema is guessed from at least 1 row. Received rows={rows}.")
        tables: list[pa.Table] = []
        faults: list[Fault] = []
        seen = 0
        for block in _blocks(source, rows):
            kept = np.arange(block.table.num_rows) < rows - seen
            seen += int(kept.sum())
            found = without_rows(list(block.faults), kept)
            faults += found
            for each in found:
                kept[each.rows] &= bool(each.column)
            table = block.table.filter(pa.array(kept))
            columns = [_as_text(column.combine_chunks()) for column in table.columns]
            tables.append(pa.table(columns, table.column_names))
            if seen == rows:
                break
        if not sum(table.num_rows for table in tables):
            raise ValueError(f"{source.name} has no rows. Write at least one row, or name another source.")
        return cls(_joined(tables, source), seen, faults)

    def aside(self) -> list[str]:
        """What is said of rows that can't be parsed."""
        count = self.rows - self.table.num_rows
        rules = [each.rule for each in self.faults if not each.column]
        return [f"{count:,} of {self.rows:,} rows left aside: {RULES[rules[0]]}"] if count else []

    def misfits(self, column: str) -> str:
        """What is said of values that are of another type than the column."""
        found = [each for each in self.faults if each.column == column]
        count = sum(len(each.rows) for each in found)
        values = [short(value) for each in found for value in each.values]
        return f"; {count:,} missing because of another type or encoding, such as {values[0]}" if values else ""


def _blocks(source: Source, size: int) -> Iterator[Block]:
    wanted = _wanted(source)
    others = set(_others(source))
    for part in source.parts:
        if part.file not in others:
            yield from source.blocks(part, wanted, size)


def _others(source: Source) -> list[str]:
    """The files that have other columns than the first, in any order; where first rows tell the columns, none."""
    if source.is_sampled:
        return []
    wanted = set(_wanted(source).names)
    return [file for file, found in source.arrow_schemas.items() if set(found.names) != wanted]


def _other_files(source: Source) -> list[str]:
    """What is said of files that have other columns."""
    others, count = _others(source), len(source.arrow_schemas)
    if not others:
        return []
    told = f"{len(others):,} of {count:,} files have other columns, such as {others[0]}"
    return [f"{told}: they are left out of the guess"]


def _numbers_as_names(source: Source) -> list[str]:
    """What is said of a CSV whose header looks like a row."""
    names = _wanted(source).names
    has_header = isinstance(source, CsvSource) and source.has_header
    if not has_header or not all(re.fullmatch(FLOAT, name.strip()) for name in names):
        return []
    return [
        f"every name in the header is a number, such as {names[0]}. If the first line is no header, name the columns: "
        "--columns user,item, or csv=CsvFormat(column_names=[...])"
    ]


def _wanted(source: Source) -> pa.Schema:
    """The columns of the first file; where first rows tell them, those of all files, with the types that rows have."""
    schemas = source.arrow_schemas
    if not source.is_sampled:
        file, first = next(iter(schemas.items()))
        check_names(first, first.names, file, source.is_text)
        return first
    names = dict.fromkeys(name for each in schemas.values() for name in each.names)
    return pa.schema([(name, pa.null()) for name in names])


def _joined(tables: list[pa.Table], source: Source) -> pa.Table:
    if source.is_sampled:
        tables = _with_text(tables)
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise ValueError(
            f"Files of {source.name} differ in the type of a column: {error}. Write them with one type, or infer the "
            "schema of one file."
        ) from error


def _with_text(tables: list[pa.Table]) -> list[pa.Table]:
    """Numbers as text in the columns that hold text in some table."""
    texts = {field.name for table in tables for field in table.schema if pa.types.is_string(field.type)}

    def typed(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        return column.cast(pa.string()) if name in texts and is_number else column

    return [pa.table({name: typed(name, table[name]) for name in table.column_names}) for table in tables]


def _as_text(array: pa.Array) -> pa.Array:
    """Bytes as the strings that they are, also inside lists; null where they are no UTF-8."""
    if is_list(array.type) and is_text(array.type.value_type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, _as_text(array.flatten()), mask=array.is_null())
    return convert(array, pa.string())[0] if is_text(array.type) else array
