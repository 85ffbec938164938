"""`tfdual.infer_schema`: a first schema from the types of a source and a sample of its rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from tfdual.data.arrow_types import is_list, is_text
from tfdual.data.csv_format import CsvFormat
from tfdual.data.open_source import open_source
from tfdual.data.sources.csv import CsvSource
from tfdual.data.sources.source import Source
from tfdual.data.values import convert
from tfdual.schema import Schema
from tfdual.schema.inference import infer_columns


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

    What was guessed, and why, is printed to stderr, a line a column. Correct it with `schema.replace(...)`, or save
    it, edit the file and load it.

    Args:
        source: as `tfdual.read` takes it; so are `query`, `format`, `storage_options` and `csv`.
        rows: int. How many of the first rows to look at. Defaults to 10,000.
        print_reasons: bool. Defaults to `True`.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: a file is not of its format, files differ in the type of a column, or there is no row.

    Example:
        >>> schema = infer_schema({"user_id": [1, 2], "age": [31.0, 47.5]}, print_reasons=False)
        >>> schema["user_id"].kind, schema["age"].kind
        (<Kind.CATEGORICAL: 'categorical'>, <Kind.DENSE: 'dense'>)
    """
    opened = open_source(source, pa.schema([]), query, format, storage_options, csv)
    schema, reasons = infer_columns(sample(opened, rows), from_text=isinstance(opened, CsvSource))
    if print_reasons:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        for name, reason in reasons.items():
            console.print(f"{name}: {reason}", markup=False)
    return schema


def sample(source: Source, rows: int) -> pa.Table:
    """The first rows of a source, with its physical columns.

    Raises:
        ValueError: there is no row, none is asked for, or files differ in the type of a column.
    """
    if rows < 1:
        raise ValueError(f"A schema is guessed from at least 1 row. Received rows={rows}.")
    wanted = _wanted(source)
    tables: list[pa.Table] = []
    for part in source.parts:
        if not source.is_sampled and source.arrow_schemas[part.file].names != wanted.names:
            continue
        for block in source.blocks(part, wanted, rows):
            columns = [_as_text(column.combine_chunks()) for column in block.table.columns]
            tables.append(pa.table(columns, block.table.column_names))
            if sum(table.num_rows for table in tables) >= rows:
                return _joined(tables, source).slice(0, rows)
    if not sum(table.num_rows for table in tables):
        raise ValueError(f"{source.name} has no rows. Write at least one row, or name another source.")
    return _joined(tables, source)


def _wanted(source: Source) -> pa.Schema:
    """The columns of the first file; where first rows tell them, those of all files, with the types that rows have."""
    schemas = source.arrow_schemas.values()
    if not source.is_sampled:
        return next(iter(schemas))
    return pa.schema([(name, pa.null()) for name in dict.fromkeys(name for each in schemas for name in each.names)])


def _joined(tables: list[pa.Table], source: Source) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError as error:
        raise ValueError(
            f"Files of {source.name} differ in the type of a column: {error}. Write them with one type, or infer the "
            "schema of one file."
        ) from error


def _as_text(array: pa.Array) -> pa.Array:
    """Bytes as the strings that they are, also inside lists; null where they are no UTF-8."""
    if is_list(array.type) and is_text(array.type.value_type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, _as_text(array.flatten()), mask=array.is_null())
    return convert(array, pa.string())[0] if is_text(array.type) else array
