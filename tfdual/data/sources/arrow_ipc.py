"""Arrow IPC files, also called Feather version 2, and IPC streams."""

from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

import pyarrow as pa
import pyarrow.ipc as ipc

from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.sources.views import without_views

SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")

Reader: TypeAlias = ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader


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

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of every file."""
        return {label: self._open(label).schema for label in self._paths}

    @cached_property
    def parts(self) -> list[Part]:
        """The record batches of files; a stream is one part."""
        return [part for label in self._paths for part in self._parts_of(label)]

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The record batch, in pieces."""
        reader = self._open(part.file)
        with reading(part.file, "Arrow IPC"):
            for batch in [reader.get_batch(part.index)] if _is_file(reader) else reader:
                table = without_views(pa.Table.from_batches([batch]).select(wanted.names))
                yield from (Block(table.slice(start, size)) for start in range(0, table.num_rows, size))

    def _parts_of(self, label: str) -> list[Part]:
        reader = self._open(label)
        if not _is_file(reader):
            return [Part(label)]
        rows = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
        return [Part(label, i, *each) for i, each in enumerate(zip(accumulate(rows, initial=0), rows, strict=False))]

    def _open(self, label: str) -> Reader:
        """A file of its own each time: a system holds few open at once."""
        path, local = self._paths[label], self._files.is_local
        try:
            return ipc.open_file(pa.memory_map(path) if local else self._files.system.open_input_file(path))
        except pa.ArrowInvalid:
            pass
        with reading(label, "Arrow IPC"):
            return ipc.open_stream(self._files.system.open_input_stream(path))


def _is_file(reader: Reader) -> bool:
    return isinstance(reader, ipc.RecordBatchFileReader)
