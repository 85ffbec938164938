"""JSON lines that Arrow can't parse, each by itself, so that what is wrong is told of its row and column."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import delimiter_of, is_list, is_marked_time, is_text
from tfdual.data.faults import Fault
from tfdual.data.sources.source import Block
from tfdual.data.values import Unfit, fitted, lists_from_text

BEYOND_INTEGERS = 2.0**63

Problem = tuple[str, str, Any]  # column, rule and value


class Written(float):
    """A number, and the text that stands for it, which may have more digits."""

    text: str

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number


def line_by_line(lines: list[bytes], wanted: pa.Schema) -> Block:
    """A row a line; lists that may be delimited are lists of texts."""
    wanted = pa.schema(map(_of_texts, wanted))
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


def _of_texts(field: pa.Field) -> pa.Field:
    """A list that may be delimited as one of texts, whose values the schema converts; also inside structs."""
    if pa.types.is_struct(field.type):
        return field.with_type(pa.struct(list(map(_of_texts, field.type))))
    return field if delimiter_of(field) is None else field.with_type(pa.list_(pa.string()))


def _fields(line: bytes, wanted: pa.Schema) -> tuple[dict[str, Any], list[Problem]]:
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return found

    try:
        row = json.loads(line, object_pairs_hook=unique, parse_float=Written, parse_int=_whole)
    except UnicodeDecodeError:
        return {}, [("", "utf-8", line)]
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return {}, [("", "malformed", line.decode(errors="backslashreplace"))]
    problems: list[Problem] = [(name, "duplicate feature", None) for name in repeated]
    values: dict[str, Any] = {}
    for field in wanted:
        found = row.get(field.name)
        if pa.types.is_struct(field.type) and isinstance(found, dict):
            values[field.name] = _values(found, list(field.type), problems)
        else:
            values |= _values(row, [field], problems)
    return values, problems


def _whole(text: str) -> int | Written:
    """An integer; -0 is none of Python's, and keeps its sign."""
    return Written(text) if text == "-0" else int(text)


def _values(found: dict[str, Any], fields: Sequence[pa.Field], problems: list[Problem]) -> dict[str, Any]:
    """The values of an object that fit; the problems of the others are added, each with its own name."""
    values: dict[str, Any] = {}
    for field in fields:
        name, value = field.name, found.get(field.name)
        try:
            values[name] = _value(value, field)
        except Unfit as rule:
            problems.append((name, str(rule), value))
    return values


def _value(value: Any, field: pa.Field) -> Any:
    if isinstance(value, str) and (delimiter := delimiter_of(field)) is not None:
        value = lists_from_text(pa.array([value]), delimiter)[0][0].as_py() or []
    single = field.type.value_type if is_list(field.type) else field.type
    is_one = not isinstance(value, list)
    value = _as_written(value, single) if is_one else [_as_written(each, single) for each in value]
    return fitted(value, field.type, is_marked_time(field))


def _as_written(value: Any, wanted: pa.DataType) -> Any:
    """A number as text where that is wanted, NaN as no value, and to its last digit where an integer is wanted."""
    if is_text(wanted) and isinstance(value, Written):
        return value.text
    if is_text(wanted) and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if is_text(wanted) and isinstance(value, float) and math.isnan(value):
        return None  # as pandas writes a missing text
    if pa.types.is_integer(wanted) and isinstance(value, Written) and abs(value) < BEYOND_INTEGERS:
        exact = Decimal(value.text)  # ids above 2**53 that were written as 76561197960287931.0
        return int(exact) if exact == int(exact) else value
    return value
