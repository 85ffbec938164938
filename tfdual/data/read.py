"""`tfdual.read`: any source of rows, opened by what it is."""

import glob
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from tfdual.data.arrow_tensors import check_columns, widest
from tfdual.data.rows import Rows
from tfdual.schema import Schema


def read(source: str | Path | pa.Table, schema: Schema) -> Rows:
    """Open rows, to be streamed.

    Args:
        source: a Parquet file, a directory of them, a glob such as `"ratings/*.parquet"`, or an Arrow table.
        schema: Schema. The columns to read, with their types and tags.

    Returns:
        `Rows`; nothing but metadata has been read.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: a file is not Parquet or lacks a column, or there is no row.
        TypeError: a column's type is not the schema's, or the source is of an unknown kind.

    Example:
        >>> read(pa.table({"age": [31.0]}), Schema(["age"]).from_dict(
        ...     {"format": "tfdual.schema", "version": 1, "columns": [{"name": "age", "dtype": "float32"}]})).take(1)
        [{'age': 31.0}]
    """
    if isinstance(source, pa.Table):
        return Rows(ds.dataset(source), schema, "The table")
    if not isinstance(source, str | Path):
        raise TypeError(f"read() takes a path, a glob or an Arrow table. Received {type(source).__name__}.")
    files = _files(str(source))
    try:
        fragments = ds.dataset(files, format="parquet").get_fragments()
        found = {fragment.path: fragment.physical_schema for fragment in fragments}
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{source} can't be read as Parquet: {str(error).splitlines()[0]}") from error
    for path, columns in found.items():
        check_columns(columns, schema, path)
    wide = widest(list(found.values()), schema.column_names)
    return Rows(ds.dataset(files, schema=wide, format="parquet"), schema, str(source))


def _files(source: str) -> list[str]:
    path = Path(source)
    if path.is_dir():
        found = sorted(str(file) for file in path.rglob("*.parquet"))
        wanted = f"The directory {source} holds no *.parquet file."
    elif path.exists():
        found, wanted = [source], ""
    else:
        found = sorted(glob.glob(source, recursive=True))
        wanted = f"There is no file, directory or glob match {source}."
    if not found:
        raise FileNotFoundError(f"{wanted} Give the path of a Parquet file, a directory of them, or a glob.")
    return found
