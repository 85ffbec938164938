"""JSON lines: an object a line."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from tfdual.data.arrow_types import is_list
from tfdual.data.faults import Fault
from tfdual.data.sources.files import Files, reading
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.values import Unfit, fitted

SUFFIXES = (".jsonl", ".ndjson", ".json")
BLOCK_BYTES = 4 << 20
SAMPLE_BYTES = 1 << 20


class JsonLinesSource(Source):
    """JSON lines, in blocks.

    Arrow parses a block at once. Where it can't, because a column mixes types or a line is no JSON, or where it finds
    more or fewer objects than lines, Python parses the block line by line and tells which value is wrong. An empty file
    holds no row; Spark writes such files.

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
                if not found[label].names:
                    raise ValueError(f"{label} can't be read as JSON lines: no line of its start is a JSON object.")
        if not found:
            raise ValueError(f"{self.name} has no rows: no line stands in it. Write at least one row.")
        return found

    @property
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


def _schema_of(block: bytes) -> pa.Schema:
    """The columns of whole lines; none where no line is a JSON object."""
    table = _by_arrow(block, pyarrow.json.ParseOptions())
    return _schema_of_lines(block) if table is None else table.schema


def _widened(wanted: pa.Schema, found: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """The columns `names` with types that hold the values of one more block, too."""
    widened = {name: found.field(name).type for name in names if name in found.names}
    return pa.schema(
        [field.with_type(_wide(field.type, widened.get(field.name, pa.null()))) for field in wanted],
    )


def _wide(known: pa.DataType, found: pa.DataType) -> pa.DataType:
    """The type of the values known and found; where they don't go together, of those known."""
    if pa.types.is_null(known) or (pa.types.is_integer(known) and pa.types.is_floating(found)):
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
    """The columns of lines of which some are not right: each with the type of its first value."""
    types: dict[str, pa.DataType] = {}
    for line in block.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            for name, value in row.items():
                if types.get(name, pa.null()) == pa.null():
                    types[name] = _type_of(value)
    return pa.schema(list(types.items()))


def _type_of(value: Any) -> pa.DataType:
    try:
        return pa.array([value]).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.null()


def _count_lines(block: bytes) -> int:
    """Lines that are not blank; a blank one begins with a space or is empty, and few do."""
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    spaced = np.flatnonzero(letters[starts] <= ord(" "))
    return len(ends) - sum(not block[starts[i] : ends[i]].strip() for i in spaced.tolist())


def _parsed(block: bytes, wanted: pa.Schema) -> Block:
    options = pyarrow.json.ParseOptions(explicit_schema=wanted, unexpected_field_behavior="ignore")
    if (table := _by_arrow(block, options)) is not None:
        return Block(table.select(wanted.names))
    return _line_by_line([line for line in block.split(b"\n") if line.strip()], wanted)


def _by_arrow(block: bytes, options: pyarrow.json.ParseOptions) -> pa.Table | None:
    """Whole lines; None where Arrow can't parse them, or where they are not an object each."""
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    try:
        table = pyarrow.json.read_json(pa.BufferReader(block), read, options)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return table if table.num_rows == _count_lines(block) else None


def _line_by_line(lines: list[bytes], wanted: pa.Schema) -> Block:
    columns: dict[str, list[Any]] = {name: [] for name in wanted.names}
    faults: list[Fault] = []
    texts: dict[int, str] = {}
    for row, line in enumerate(lines):
        values, problems = _fields(line, wanted)
        for name in wanted.names:
            columns[name].append(values.get(name))
        if problems:
            texts[row] = line.decode(errors="backslashreplace")
        faults += [Fault(name, rule, np.array([row]), [value]) for name, rule, value in problems]
    table = pa.table({field.name: pa.array(columns[field.name], field.type) for field in wanted})
    return Block(table, faults, texts)


def _fields(line: bytes, wanted: pa.Schema) -> tuple[dict[str, Any], list[tuple[str, str, Any]]]:
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return dict(pairs)

    try:
        row = json.loads(line, object_pairs_hook=unique)
    except UnicodeDecodeError:
        return {}, [("", "utf-8", line)]
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return {}, [("", "malformed", line.decode(errors="backslashreplace"))]
    problems: list[tuple[str, str, Any]] = [(name, "duplicate feature", None) for name in repeated]
    values: dict[str, Any] = {}
    for field in wanted:
        try:
            values[field.name] = _field(row.get(field.name), field, problems)
        except Unfit as rule:
            problems.append((field.name, str(rule), row.get(field.name)))
    return values, problems


def _field(value: Any, field: pa.Field, problems: list[tuple[str, str, Any]]) -> Any:
    """One value; of a nested object, each part by itself, so that a fault names the part."""
    if not (pa.types.is_struct(field.type) and isinstance(value, dict)):
        return fitted(value, field.type)
    parts: dict[str, Any] = {}
    for part in field.type:
        try:
            parts[part.name] = fitted(value.get(part.name), part.type)
        except Unfit as rule:
            problems.append((part.name, str(rule), value[part.name]))
    return parts
