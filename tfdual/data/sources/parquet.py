"""Parquet files, also in Hive-partitioned directories."""

import copy
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tfdual.data.arrow_types import is_time
from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.sources.views import viewless

SUFFIXES = (".parquet", ".pq", ".parq")
LOCAL_BUFFER_BYTES = 1 << 20
REMOTE_BUFFER_BYTES = 8 << 20
BLOCK_BYTES = 16 << 20


class ParquetSource(Source):
    """Parquet, a row group at a time.

    `key=value` folders below the directory that was given are columns.

    Args:
        files: Files.

    Raises:
        ValueError: a file is not Parquet.
    """

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self._filter: pc.Expression | None = None
        self._system = files.system
        self._buffer = LOCAL_BUFFER_BYTES if files.is_local else REMOTE_BUFFER_BYTES
        options = ds.ParquetFragmentScanOptions(pre_buffer=False)
        with reading(files.name, "Parquet"):
            dataset = _dataset(files, ds.ParquetFileFormat(default_fragment_scan_options=options))
        self._fragments = {files.label(each.path): each for each in dataset.get_fragments()}
        self._schemas = {label: _columns(label, each, dataset.schema) for label, each in self._fragments.items()}

    def where(self, filter: pc.Expression) -> "ParquetSource":
        """The same files without the folders and row groups that a filter rules out by their names and statistics.

        Rows of the others are sorted out by `matches`. Where the filter names a column that isn't there, the first
        look at the parts raises a ValueError.
        """
        filtered = copy.copy(self)
        filtered._filter = filter
        for cached in ("_groups", "part_rows"):
            filtered.__dict__.pop(cached, None)
        return filtered

    @property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of every file, those of its folders included."""
        return self._schemas

    @property
    def parts(self) -> list[Part]:
        """The row groups that the filter leaves."""
        return [part for part, _ in self._groups]

    @cached_property
    def _groups(self) -> list[tuple[Part, ds.Fragment]]:
        found: list[tuple[Part, ds.Fragment]] = []
        for label, fragment in self._fragments.items():
            rows = [fragment.metadata.row_group(i).num_rows for i in range(fragment.metadata.num_row_groups)]
            starts = np.cumsum([0, *rows]).tolist()
            try:
                groups = _row_groups(fragment, self._schemas[label], self._filter)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise ValueError(about_filter(self._filter, self._schemas[label], error)) from error
            for group in groups:
                i = group.row_groups[0].id
                if rows[i]:
                    found.append((Part(label, len(found), starts[i], rows[i]), group))
        return found

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The row group, in pieces of about 16 MiB: it may be as large as its file."""
        _, fragment = self._groups[part.index]
        schema = self._schemas[part.file]
        folders = ds.get_partition_keys(fragment.partition_expression)
        names = fragment.physical_schema.names
        inside = [name for name in wanted.names if name in names]
        for batch in self._batches(part, inside or names[:1], size):
            columns = [
                batch.column(name)
                if name in inside
                else pa.repeat(pa.scalar(folders[name], schema.field(name).type), batch.num_rows)
                for name in wanted.names
            ]
            yield Block(pa.table(columns, schema=pa.schema([schema.field(name) for name in wanted.names])))

    def _batches(self, part: Part, names: list[str], size: int) -> Iterator[pa.RecordBatch]:
        _, fragment = self._groups[part.index]
        (group,) = fragment.row_groups
        most = BLOCK_BYTES * group.num_rows // (_bytes(fragment.metadata.row_group(group.id), names) + 1)
        with reading(part.file, "Parquet"), self._system.open_input_file(fragment.path) as opened:
            # A scan of the data set decodes a whole row group before it gives the first batch of it.
            file = pq.ParquetFile(opened, metadata=fragment.metadata, pre_buffer=False, buffer_size=self._buffer)
            yield from file.iter_batches(max(1, min(size, most)), row_groups=[group.id], columns=names)

    def matches(self, part: Part) -> Iterator[np.ndarray]:
        """For every row of the part, whether the filter keeps it; reads the columns that the filter names."""
        _, fragment = self._groups[part.index]
        with reading(part.file, "Parquet"):
            for batch in fragment.to_batches(schema=self._schemas[part.file], columns={"keep": self._filter}):
                yield pc.fill_null(batch.column(0), False).to_numpy(zero_copy_only=False)


def _row_groups(fragment: ds.Fragment, schema: pa.Schema, filter: pc.Expression | None) -> list[ds.Fragment]:
    """Those that the filter leaves by their statistics; all, where views of strings can't be compared with these."""
    if filter is not None and viewless(fragment.physical_schema) != fragment.physical_schema:
        ds.dataset(schema.empty_table()).to_table(columns={"keep": filter})  # fails where the filter doesn't fit
        filter = None
    return fragment.split_by_row_group(filter, schema=schema)


def _bytes(group: pq.RowGroupMetaData, names: list[str]) -> int:
    """Bytes of columns of a row group, unpacked."""
    columns = (group.column(i) for i in range(group.num_columns))
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema.split(".")[0] in names)


def _dataset(files: Files, format: ds.FileFormat) -> ds.Dataset:
    def opened(schema: pa.Schema | None = None) -> ds.Dataset:
        return ds.dataset(
            list(files.paths),
            schema=schema,
            filesystem=files.system,
            format=format,
            partitioning=ds.HivePartitioning.discover(segment_encoding="uri"),
            partition_base_dir=files.root or None,
        )

    try:
        return opened()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        if "duplicate field names" not in str(error) and "Unable to merge" not in str(error):
            raise
        return opened(pa.schema([]))  # Without a common schema, so that each file can tell its columns.


def _columns(label: str, fragment: ds.Fragment, whole: pa.Schema) -> pa.Schema:
    """The columns of a file, then those that its folders name."""
    with reading(label, "Parquet"):
        physical = fragment.physical_schema
    for name, value in ds.get_partition_keys(fragment.partition_expression).items():
        if name not in physical.names:
            field = whole.field(name) if name in whole.names else pa.field(name, pa.scalar(value).type)
            physical = physical.append(field)
    return viewless(physical)


def about_filter(filter: pc.Expression | None, schema: pa.Schema, error: Exception) -> str:
    """What is said of a filter that Arrow can't compute on these columns."""
    held = {field.name: str(field.type) for field in schema}
    times = "datetimes" if any(map(is_time, schema.types)) else "seconds since 1970"
    return (
        f"The filter {filter} doesn't fit the columns {held}: {str(error).splitlines()[0]}. Compare a column with "
        f"values of its type; times here are {times}."
    )
