"""JSON lines: an object a line."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from tfdual.data.arrow_types import delimiter_of, is_list, is_marked_time
from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.json_rows import line_by_line
from tfdual.data.sources.source import Block, Part, Source

SUFFIXES = (".jsonl", ".ndjson", ".json")
BLOCK_BYTES = 4 << 20
SAMPLE_BYTES = 1 << 20


class JsonLinesSource(Source):
    """JSON lines, in blocks.

    Arrow parses a block at once. Where it can't, because a column mixes types or a line is no JSON, or where it finds
    more or fewer objects than lines, Python parses the block line by line and tells which value is wrong. A number in a
    column of strings is the text that stands there. An empty file holds no row; Spark writes such files.

    Args:
        files: Files.

    Raises:
        ValueError: no line at the start of a file is a JSON object, or every file is empty.
    """

    is_text = True
    is_sampled = True

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self._files = files
        self._paths = {files.label(path): path for path in files.paths}

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The columns of the first MiB of every file that isn't empty."""
        found = {}
        for label in self._paths:
            if (block := next(self._byte_blocks(label), b"")).strip():
                found[label] = _schema_of(block[: block.rfind(b"\n", 0, SAMPLE_BYTES) + 1 or block.find(b"\n") + 1])
                if not found[label].names or _first_line(block) in (b"[", b"{"):
                    problem = f"{label} can't be read as JSON lines: no line of its start is a JSON object."
                    raise ValueError(problem + _advice(block))
        if not found:
            raise ValueError(f"{self.name} has no rows: no line stands in it. Write at least one row.")
        return found

    @cached_property
    def parts(self) -> list[Part]:
        """The files that aren't empty."""
        return [Part(label) for label in self.arrow_schemas]

    def count(self, part: Part) -> int:
        """Lines that are not blank."""
        return sum(map(_count_lines, self._byte_blocks(part.file)))

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The file in blocks of about 4 MiB."""
        wanted = pa.schema([field.with_type(_in_json(field.type)) for field in wanted])
        untyped = [field.name for field in wanted if pa.types.is_null(field.type)]
        for block in self._byte_blocks(part.file):
            if block.isspace():
                continue
            if untyped:
                wanted = _widened(wanted, _schema_of(block), untyped)
            yield _parsed(block, wanted)

    def _byte_blocks(self, label: str) -> Iterator[bytes]:
        """Whole lines, each with its end."""
        with reading(label, "JSON lines"), self._files.open(self._paths[label]) as stream:
            rest = b""
            while read := stream.read(BLOCK_BYTES):
                end = read.rfind(b"\n") + 1
                if end:
                    yield rest + memoryview(read)[:end]
                    rest = read[end:]
                else:
                    rest += read
            if rest:
                yield rest + b"\n"


def _first_line(block: bytes) -> bytes:
    return block.lstrip().split(b"\n", 1)[0].rstrip()


def _advice(block: bytes) -> str:
    """What to do with a file that begins like that; empty where nothing tells."""
    if (first := _first_line(block)) == b"{" or first.startswith(b"["):
        return (
            " It is one JSON document: write an object a line, as of an array `pandas.read_json(path).to_json(out, "
            'orient="records", lines=True)` does.'
        )
    if not block.startswith((b"{'", b"{u'")):
        return ""
    return (
        " Its lines are dicts of Python, which `ast.literal_eval` reads: pass read() a pandas frame of these, or write "
        "them again by `json.dumps`."
    )


def _schema_of(block: bytes) -> pa.Schema:
    """The columns of whole lines; none where no line is a JSON object."""
    table = _by_arrow(block, pyarrow.json.ParseOptions())
    if table is None:
        return _schema_of_lines(block)
    return pa.schema([field.with_type(_as_written(field.type)) for field in table.schema])


def _as_written(found: pa.DataType) -> pa.DataType:
    """The type without times: where Arrow finds one, a string stands."""
    if pa.types.is_struct(found):
        return pa.struct([field.with_type(_as_written(field.type)) for field in found])
    if pa.types.is_list(found):
        return pa.list_(_as_written(found.value_type))
    return pa.string() if pa.types.is_timestamp(found) else found


def _widened(wanted: pa.Schema, found: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """The columns `names` with types that hold the values of one more block, too."""
    widened = {name: found.field(name).type for name in names if name in found.names}
    return pa.schema(
        [field.with_type(_wide(field.type, widened.get(field.name, pa.null()))) for field in wanted],
    )


def _wide(known: pa.DataType, found: pa.DataType) -> pa.DataType:
    """The type of the values known and found: text where some are; where they don't go together, of those known."""
    if pa.types.is_null(known) or (pa.types.is_integer(known) and pa.types.is_floating(found)):
        return found
    if (pa.types.is_integer(known) or pa.types.is_floating(known)) and pa.types.is_string(found):
        return found
    if pa.types.is_list(known) and pa.types.is_list(found):
        return pa.list_(_wide(known.value_type, found.value_type))
    if pa.types.is_struct(known) and pa.types.is_struct(found):
        parts = {field.name: field.type for field in known}
        for field in found:
            parts[field.name] = _wide(parts.get(field.name, pa.null()), field.type)
        return pa.struct(list(parts.items()))
    return known


def _in_json(found: pa.DataType) -> pa.DataType:
    """The type to parse into; Arrow parses no lists of a fixed size, and another size is to be told, not to fail."""
    if pa.types.is_struct(found):
        return pa.struct([field.with_type(_in_json(field.type)) for field in found])
    return pa.list_(found.value_type) if is_list(found) else found


def _schema_of_lines(block: bytes) -> pa.Schema:
    """The columns of lines of which some are not right, or mix types."""
    types: dict[str, pa.DataType] = {}
    for line in block.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            for name, value in row.items():
                types[name] = _wide(types.get(name, pa.null()), _type_of(value))
    return pa.schema(list(types.items()))


def _type_of(value: Any) -> pa.DataType:
    try:
        return pa.array([value]).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        return pa.null()


def _count_lines(block: bytes) -> int:
    """Lines that are not blank; a blank one begins with a space or is empty, and few do."""
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    spaced = np.flatnonzero(letters[starts] <= ord(" "))
    return len(ends) - sum(not block[starts[i] : ends[i]].strip() for i in spaced.tolist())


def _parsed(block: bytes, wanted: pa.Schema) -> Block:
    for columns in _readings(block, wanted):
        options = pyarrow.json.ParseOptions(explicit_schema=columns, unexpected_field_behavior="ignore")
        if (table := _by_arrow(block, options)) is not None:
            return Block(table.select(wanted.names))
    return line_by_line([line for line in block.split(b"\n") if line.strip()], wanted)


def _readings(block: bytes, wanted: pa.Schema) -> Iterator[pa.Schema]:
    """The columns wanted; then, where times or delimited lists stand as text, with these as strings."""
    yield wanted
    if may_be_text := {field.name for field in wanted if is_marked_time(field) or delimiter_of(field) is not None}:
        texts = {field.name for field in _schema_of(block) if pa.types.is_string(field.type)} & may_be_text
        if texts:
            yield pa.schema([field.with_type(pa.string()) if field.name in texts else field for field in wanted])


def _by_arrow(block: bytes, options: pyarrow.json.ParseOptions) -> pa.Table | None:
    """Whole lines; None where Arrow can't parse them, or where they are not an object each."""
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    try:
        table = pyarrow.json.read_json(pa.BufferReader(block), read, options)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return table if table.num_rows == _count_lines(block) else None
