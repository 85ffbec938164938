"""Arrow IPC files, also called Feather version 2, and IPC streams."""

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.ipc as ipc

from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.sources.views import without_views

SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")


class ArrowIpcSource(Source):
    """Arrow IPC, a record batch at a time; local files are mapped into memory.

    Args:
        files: Files.

    Raises:
        ValueError: a file is not Arrow IPC.
    """

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self._files = files
        self._paths = {files.label(path): path for path in files.paths}
        self._readers = {label: self._open(path) for label, path in self._paths.items()}

    @property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of every file."""
        return {label: reader.schema for label, reader in self._readers.items()}

    @cached_property
    def parts(self) -> list[Part]:
        """The record batches of files; a stream is one part."""
        found = []
        for label, reader in self._readers.items():
            if not isinstance(reader, ipc.RecordBatchFileReader):
                found.append(Part(label))
                continue
            first = 0
            for i in range(reader.num_record_batches):
                rows = reader.get_batch(i).num_rows
                found.append(Part(label, i, first, rows))
                first += rows
        return found

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The record batch, in pieces."""
        reader = self._readers[part.file]
        if isinstance(reader, ipc.RecordBatchFileReader):
            batches: Iterator[pa.RecordBatch] = iter([reader.get_batch(part.index)])
        else:
            batches = iter(self._open(self._paths[part.file]))
        with reading(part.file, "Arrow IPC"):
            for batch in batches:
                table = without_views(pa.Table.from_batches([batch]).select(wanted.names))
                yield from (Block(table.slice(start, size)) for start in range(0, table.num_rows, size))

    def _open(self, path: str) -> ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader:
        local = self._files.is_local
        try:
            return ipc.open_file(pa.memory_map(path) if local else self._files.system.open_input_file(path))
        except pa.ArrowInvalid:
            pass
        with reading(self._files.label(path), "Arrow IPC"):
            return ipc.open_stream(self._files.system.open_input_stream(path))
