"""From what the user gives to the source that reads it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfdual.data.arrow_types import check_schema, wanted_schema
from tfdual.data.csv_format import CsvFormat
from tfdual.data.sources import arrow_ipc, json_lines, parquet, tfrecord
from tfdual.data.sources import csv as csv_files
from tfdual.data.sources.feature_maps import FeatureMapSource, holds_feature_maps
from tfdual.data.sources.files import COMPRESSED, Files, find_files
from tfdual.data.sources.memory import in_memory
from tfdual.data.sources.source import Source
from tfdual.data.sources.sql import SqlSource
from tfdual.schema import Schema

FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Files], Source]]] = {
    "parquet": (parquet.SUFFIXES, parquet.ParquetSource),
    "csv": (csv_files.SUFFIXES, csv_files.CsvSource),
    "jsonl": (json_lines.SUFFIXES, json_lines.JsonLinesSource),
    "arrow": (arrow_ipc.SUFFIXES, arrow_ipc.ArrowIpcSource),
    "tfrecord": (tfrecord.SUFFIXES, tfrecord.TFRecordSource),
}
FILE_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "az", "adl", "hdfs", "http", "https", "ftp", "memory", "file"}
NAMES = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON lines", "arrow": "Arrow IPC", "tfrecord": "TFRecord"}


def open_source(
    source: Any,
    wanted: pa.Schema,
    query: str | None = None,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    csv: CsvFormat | None = None,
) -> Source:
    """Open a source of rows by what it is. Arguments as in `tfdual.read`.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: the format can't be told or is unknown, or an argument doesn't apply.
        TypeError: a source of an unknown kind, or a `csv` that is no CsvFormat.
    """
    if not isinstance(csv, CsvFormat | None):
        raise TypeError(f"csv is a CsvFormat, such as CsvFormat(separator=';'). Received {csv!r}.")
    found = in_memory(source)
    if found is None and not isinstance(source, str | Path):
        raise TypeError(
            "read() takes a path, a glob, a URL, an Arrow table, a pandas or polars frame, or a dict of arrays. "
            f"Received {type(source).__name__}."
        )
    is_database = found is None and _is_database(str(source))
    if not is_database and query is not None:
        received = source if isinstance(source, str | Path) else type(source).__name__
        raise ValueError(
            f"query={query!r} needs the URL of a database, such as sqlite:///shop.db. Received {received}."
        )
    if (found is not None or is_database) and (format or storage_options or csv):
        raise ValueError("format and storage_options are for files, and csv is, too. Leave them out.")
    if found is not None:
        return found
    if is_database:
        if query is None:
            raise ValueError("A database needs query=, a SELECT or the name of a table.")
        return SqlSource(str(source), query, wanted)
    name = _format(str(source), format, storage_options, "csv" if csv else None)
    if csv is not None and name != "csv":
        raise ValueError(
            f'csv= is for CSV files. {source} is read as {NAMES[name]}: leave csv out, or give format="csv".'
        )
    suffixes, opener = FORMATS[name]
    files = find_files(str(source), suffixes, NAMES[name], storage_options)
    return opener(files) if csv is None else csv_files.CsvSource(files, csv)


def open_columns(
    source: Any,
    schema: Schema,
    query: str | None = None,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    csv: CsvFormat | None = None,
) -> Source:
    """A source whose columns are those of `schema`, also where they stand in feature maps. Raises as `open_source` and
    `check_schema`.
    """
    check_schema(schema)
    opened = open_source(source, wanted_schema(schema), query, format, storage_options, csv)
    return FeatureMapSource(opened, schema) if holds_feature_maps(opened) else opened


def _is_database(source: str) -> bool:
    protocol = re.match(r"([a-z][a-z0-9]*)(\+[a-z0-9_]+)?://", source)
    return protocol is not None and protocol[1] not in FILE_PROTOCOLS


def _format(source: str, format: str | None, storage_options: Mapping[str, Any] | None, otherwise: str | None) -> str:
    """The format that is given or that names tell; `otherwise` where a file's name tells none."""
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"There is no format {format!r}. Use one of {', '.join(FORMATS)}.")
        return format
    if known := _by_suffix(source):
        return known
    every = tuple(suffix for suffixes, _ in FORMATS.values() for suffix in suffixes)
    files = find_files(source, every, "data", storage_options)
    found = sorted({known for path in files.paths if (known := _by_suffix(path))})
    if not found and otherwise is not None:
        return otherwise
    if len(found) != 1:
        several = f"holds files of several formats, {found}" if found else "doesn't tell its format by its name"
        raise ValueError(f"{source} {several}. Set format to one of {', '.join(FORMATS)}.")
    return found[0]


def _by_suffix(name: str) -> str | None:
    for packed in COMPRESSED:
        name = name.removesuffix(packed)
    return next((each for each, (suffixes, _) in FORMATS.items() if name.endswith(suffixes)), None)
