"""The door: rows of any source become rows of exactly the schema's types, and what breaks a rule is told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data.arrow_types import ARROW_TYPES, arrow_schema, holds_times, is_list, is_text
from tfdual.data.faults import Fault, fault
from tfdual.data.values import convert, lists_from_text
from tfdual.schema import ColumnSchema, Kind, Schema

Broken: TypeAlias = tuple[str, np.ndarray]
_IDS = (Kind.CATEGORICAL, Kind.ID_LIST)
_LEADING = r"^\s*([+]|-0|0[0-9])"


def conform(table: pa.Table, schema: Schema, faults: Sequence[Fault] = ()) -> tuple[pa.Table, list[Fault]]:
    """Check and convert the columns of `schema`.

    Args:
        table: pyarrow.Table. Rows as the source holds them.
        schema: Schema. What they must be.
        faults: what the source itself found wrong; those rows are not reported again for the same column.

    Returns:
        A table of exactly `arrow_schema(schema)`, and the faults, those given first. Only rows without a fault are
        to be used.
    """
    found = list(faults)
    arrays: dict[str, pa.Array] = {}
    for column in schema:
        array = whole(table.column(column.name))
        arrays[column.name], broken = (_conform_list if column.is_list else _conform_scalar)(array, column)
        found += _told(column.name, broken, array, found)
    for column in schema:
        name = column.properties.get("weights")
        if name is not None and name in schema:
            found += _told(name, _uneven(arrays[column.name], arrays[name]), arrays[name], found)
    times = {column.name for column in schema if holds_times(column)}
    found = [replace(each, rule="time") if each.rule == "dtype" and each.column in times else each for each in found]
    return pa.Table.from_arrays(list(arrays.values()), schema=arrow_schema(schema)), found


def _told(column: str, broken: Iterable[Broken], array: pa.Array, found: Sequence[Fault]) -> list[Fault]:
    """Faults of one column, each row with the first rule that it breaks."""
    told: list[Fault] = []
    known: set[int] | None = None
    for rule, rows in broken:
        if known is None:
            known = {row for each in found if each.column in ("", column) for row in each.rows.tolist()}
        if known:
            rows = rows[~np.isin(rows, list(known))]
        if len(rows):
            told.append(fault(column, rule, rows, (array[row] for row in rows.tolist())))
            known.update(rows.tolist())
    return told


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, without a dictionary."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return _decoded(array)


def _decoded(array: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(array.type):
        return array
    values = array.dictionary.cast(pa.large_binary()) if is_text(array.dictionary.type) else array.dictionary
    return values.take(array.indices)


def _conform_scalar(array: pa.Array, column: ColumnSchema) -> tuple[pa.Array, list[Broken]]:
    broken: list[Broken] = []
    if array.null_count and not column.nullable:
        broken.append(("null", _positions(array.is_null())))
    values, problems = convert(array, ARROW_TYPES[column.dtype], holds_times(column))
    broken += ((rule, rows) for rule, rows in problems.items() if rule != "null" or not column.nullable)
    broken += _respelled(array, column)
    broken += _broken_values(values, column)
    return values, broken


def _conform_list(array: pa.Array, column: ColumnSchema) -> tuple[pa.Array, list[Broken]]:
    broken: list[Broken] = []
    missing = column.nullable
    if is_text(array.type):
        array, problems = lists_from_text(array, column.properties.get("delimiter"))
        broken += problems.items()
        missing |= column.width is None  # An empty field is how text writes an empty list.
    elif not is_list(array.type):
        broken.append(("dtype", _positions(array.is_valid())))
        array = pa.nulls(len(array), pa.list_(pa.null()))
    if array.null_count and not missing:
        broken.append(("null", _positions(array.is_null())))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    broken += _broken_lengths(lengths, column)
    flat = _decoded(array.flatten())
    values, problems = convert(flat, ARROW_TYPES[column.dtype])
    inside: list[Broken] = list(problems.items())
    if flat.null_count:
        inside.append(("null", _positions(flat.is_null())))
    inside += _respelled(flat, column)
    inside += _broken_values(values, column)
    if inside:
        row_of = np.repeat(np.arange(len(array)), lengths)
        broken += ((rule, np.unique(row_of[positions])) for rule, positions in inside)
    return _as_list(values, lengths, column), broken


def _as_list(values: pa.Array, lengths: np.ndarray, column: ColumnSchema) -> pa.Array:
    """Lists again. A missing list is empty, a missing vector zeros, so that a batch always has a shape."""
    if column.width is None:
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), values)
    whole = lengths == column.width
    if not whole.all():
        starts = np.cumsum(lengths) - lengths
        taken = starts[:, None] + np.arange(column.width)
        values = values.take(pa.array(taken.reshape(-1), mask=np.repeat(~whole, column.width)))
        values = pc.fill_null(values, "" if column.dtype == "string" else 0)
    return pa.FixedSizeListArray.from_arrays(values, column.width)


def _broken_lengths(lengths: np.ndarray, column: ColumnSchema) -> Iterator[Broken]:
    if column.width is not None:
        rule, wrong = "width", lengths != column.width
    else:
        least, most = column.value_count
        rule, wrong = "length", lengths < least
        if most is not None:
            wrong |= lengths > most
    if column.nullable:
        wrong &= lengths > 0
    if wrong.any():
        yield rule, np.flatnonzero(wrong)


def _respelled(array: pa.Array, column: ColumnSchema) -> Iterator[Broken]:
    """Ids whose text begins with a plus or with zeros, which an integer can't keep."""
    if not (is_text(array.type) and column.dtype.startswith("int") and column.kind in _IDS):
        return
    texts = array.cast(pa.large_binary())
    few = _positions(pc.less(texts, pa.scalar(b"1", texts.type)))  # begins with a space, a sign or a zero
    is_respelled = pc.match_substring_regex(texts.take(pa.array(few)), _LEADING)
    if len(rows := few[is_respelled.to_numpy(zero_copy_only=False)]):
        yield "leading zeros", rows


def _broken_values(values: pa.Array, column: ColumnSchema) -> Iterator[Broken]:
    if pa.types.is_floating(values.type):
        yield from _broken_floats(values, column)
    elif pa.types.is_integer(values.type):
        yield from _outside(values, column)


def _broken_floats(values: pa.Array, column: ColumnSchema) -> Iterator[Broken]:
    numbers = values.to_numpy(zero_copy_only=False)
    if not np.isfinite(numbers).all():
        yield "infinite", np.flatnonzero(np.isinf(numbers))
        if column.is_list or not column.nullable:
            yield "nan", np.flatnonzero(np.isnan(numbers) & values.is_valid().to_numpy(zero_copy_only=False))
    yield from _outside(values, column)


def _outside(values: pa.Array, column: ColumnSchema) -> Iterator[Broken]:
    domain = column.properties.get("domain", {})
    least, most = (_bound(domain.get(name), values.type) for name in ("min", "max"))
    ids = pa.types.is_integer(values.type) and column.kind in _IDS
    if least is None and ids:
        least = 0
    if least is None and most is None:
        return
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is None:
        return
    low = least is not None and bounds["min"] < least
    if low:
        yield "domain" if "min" in domain else "negative", _positions(pc.less(values, least))
    if most is not None and bounds["max"] > most:
        yield "domain", _positions(pc.greater(values, most))


def _bound(number: float | None, held: pa.DataType) -> float | None:
    """A bound as a column of floats holds it, so that 0.3 of float32 is not above 0.3."""
    return number if number is None or pa.types.is_integer(held) else pa.scalar(float(number), held).as_py()


def _uneven(ids: pa.Array, weights: pa.Array) -> Iterator[Broken]:
    lengths = [pc.list_value_length(each).to_numpy(zero_copy_only=False) for each in (ids, weights)]
    if len(rows := np.flatnonzero(lengths[0] != lengths[1])):
        yield "weights", rows


def _positions(mask: Any) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
