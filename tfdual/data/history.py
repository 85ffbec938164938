"""What somebody did before: lists of earlier values, for every row or for every user."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data.key_hash import check_key, check_time, key_hash, present
from tfdual.data.rows import Rows
from tfdual.data.sources.derived import DerivedSource
from tfdual.data.sources.memory import MemorySource
from tfdual.schema import ColumnSchema, Schema, Tags


def with_history(rows: Rows, by: str, time: str, columns: Mapping[str, str], max_length: int) -> Rows:
    """Each row with lists of what the same user did before it, oldest first.

    Only rows of an earlier time count: rows of one time don't see one another, so nothing of the present leaks. Nor
    do rows that are not in `rows`: the histories of a training part hold no test row. For test rows that know what
    came before them, make the histories of all rows, and split by time afterwards.

    Holds about 24 bytes a row in memory, and the values of `columns`, a string as 4 bytes; the lists are made as the
    rows pass.

    Args:
        rows: Rows.
        by: str. The user (or session) column.
        time: str. The time column, a number.
        columns: name -> name of the list to make of it, e.g. `{"item_id": "history"}`.
        max_length: int. Keep the most recent values.

    Returns:
        `Rows` with one more ragged column for each of `columns`. It shares the domain of the column it is made of,
        and has the tags of `by`'s side (USER, ITEM or SESSION) and SEQUENCE.

    Raises:
        KeyError: there is no such column.
        TypeError: a column of `columns` is a list itself, the users are no single integers or strings, or the times
            no single numbers.
        ValueError: `max_length` below 1, a new name that is taken, or a missing user, time or value.

    Example:
        >>> from tfdual import Schema, read
        >>> rows = read({"user": [1, 1, 1], "item": [5, 6, 7], "time": [0, 1, 2]}, Schema(["user", "item", "time"]))
        >>> with_history(rows, "user", "time", {"item": "before"}, 10).to_arrow()["before"].to_pylist()
        [[], [5], [5, 6]]
    """
    if max_length < 1:
        raise ValueError(f"max_length is at least 1. Received {max_length}.")
    if taken := [name for name in columns.values() if name in rows.schema]:
        raise ValueError(f"The schema has columns {taken} already. Name the lists otherwise.")
    added = Schema(_list_of(rows.schema[name], new, rows.schema[by]) for name, new in columns.items())
    table, users, times, order = _sorted(rows, by, time, list(columns))
    begins = np.searchsorted(users, users)
    runs = np.flatnonzero(np.concatenate([[True], (np.diff(users) != 0) | (np.diff(times) != 0)]))
    ends = np.repeat(runs, np.diff(np.concatenate([runs, [len(users)]])))  # the first row of the user and the time
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    values = {new: _ordered(table, name, order) for name, new in columns.items()}

    def histories(_: pa.Table, positions: np.ndarray, names: Sequence[str]) -> dict[str, pa.Array]:
        stop = ends[place[positions]]
        start = np.maximum(begins[place[positions]], stop - max_length)
        return {name: _slices(values[name], start, stop) for name in names}

    return Rows(DerivedSource(rows.stream, added, [], histories), rows.schema + added)


def group_by(rows: Rows, by: str, time: str, columns: Sequence[str], max_length: int | None = None) -> Rows:
    """One row for each user, with lists of what they did, oldest first; held in memory.

    Args:
        rows: Rows.
        by: str. The user (or session) column.
        time: str. The time column, a number.
        columns: the columns to make lists of; they keep their names.
        max_length: int. Keep the most recent values. Defaults to `None`: all.

    Returns:
        `Rows` of `by` and the lists, users in the order of their first row.

    Raises:
        KeyError: there is no such column.
        TypeError: a column of `columns` is a list itself, the users are no single integers or strings, or the times
            no single numbers.
        ValueError: `max_length` below 1, `by` is one of `columns`, or a user, time or value is missing.

    Reference: NVTabular's `Groupby`
    """
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length is at least 1. Received {max_length}.")
    if by in columns:
        raise ValueError(f"'{by}' tells the groups and can't be a list as well. Take it out of columns.")
    lists = [_list_of(rows.schema[name], name, rows.schema[by]) for name in columns]
    table, users, _, order = _sorted(rows, by, time, [by, *columns])
    start = np.flatnonzero(np.concatenate([[True], np.diff(users) != 0]))
    stop = np.concatenate([start[1:], [len(users)]])
    first = np.minimum.reduceat(order, start)
    seen = np.argsort(first)
    start, stop = start[seen], stop[seen]
    if max_length is not None:
        start = np.maximum(start, stop - max_length)
    grouped = {by: table.column(by).take(pa.array(first[seen])).combine_chunks()}
    for name in columns:
        grouped[name] = _slices(_ordered(table, name, order), start, stop)
    return Rows(MemorySource(pa.table(grouped), rows.source), Schema([rows.schema[by], *lists]))


def _list_of(column: ColumnSchema, name: str, by: ColumnSchema) -> ColumnSchema:
    if column.is_list:
        raise TypeError(f"A history is made of single values. '{column.name}' is a list.")
    side = {Tags.USER, Tags.ITEM, Tags.SESSION} & by.tags
    domain = {"name": column.domain_name, **column.properties.get("domain", {})}
    return ColumnSchema(name, side | {Tags.SEQUENCE}, {"domain": domain}, column.dtype, is_list=True)


def _sorted(rows: Rows, by: str, time: str, columns: list[str]) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray]:
    """The columns in stored order, and users, times and positions sorted by user and time."""
    check_key(rows.schema[by])
    check_time(rows.schema[time])
    table = rows.select(rows.schema.select_by_name(dict.fromkeys([by, time, *columns]))).to_arrow()
    if not table.num_rows:
        raise ValueError(f"{rows.source} has no rows left.")
    users, times = key_hash(present(table, by)), present(table, time).to_numpy()
    order = np.lexsort((times, users))
    return table, users[order], times[order], order


def _ordered(table: pa.Table, name: str, order: np.ndarray) -> pa.Array:
    """A column in another order. Strings are held once each."""
    column = table.column(name)
    if missing := pc.sum(pc.is_null(column, nan_is_null=True)).as_py():
        raise ValueError(
            f"A list holds no missing value, and {missing:,} rows lack '{name}'. Fill it, or leave those out."
        )
    if pa.types.is_string(column.type):
        column = column.dictionary_encode()
    return column.combine_chunks().take(pa.array(order))


def _slices(values: pa.Array, start: np.ndarray, stop: np.ndarray) -> pa.ListArray:
    """The lists `values[start:stop]`."""
    lengths = stop - start
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) + np.repeat(start, lengths)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values.take(pa.array(inside)))
