"""Rows for training, validation and test, without leakage.

A split is a bit a row; no row is copied. Each part can be streamed, shuffled and sharded as the whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tfdual.data.key_hash import check_key, check_time, key_hash, present, uniform
from tfdual.data.row_mask import RowMask
from tfdual.data.rows import Rows
from tfdual.data.values import convert

_CHUNK_ROWS = 1 << 20


def random_split(rows: Rows, fractions: Sequence[float], seed: int = 0) -> list[Rows]:
    """Rows at random; the parts have exactly their shares of the rows.

    Later rows of a user may train the model that earlier ones test; where that matters, use `time_split`.

    Args:
        rows: Rows.
        fractions: of the parts, e.g. `(0.8, 0.1, 0.1)`; they add up to 1.
        seed: int. Defaults to 0.

    Raises:
        ValueError: fractions that don't add up to 1, or a part that would be empty.

    Example:
        >>> from tfdual import read, Schema
        >>> train, test = random_split(read({"x": list(range(10))}, Schema(["x"])), (0.8, 0.2))
        >>> len(train), len(test)
        (8, 2)
    """
    ends = np.round(_bounds(fractions) * len(rows)).astype(np.int64)
    sizes = np.diff(np.concatenate([[0], ends, [len(rows)]]))

    def assigned() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(seed)
        left = sizes
        for start in range(0, len(rows), _CHUNK_ROWS):
            size = min(_CHUNK_ROWS, len(rows) - start)
            counts = rng.multivariate_hypergeometric(left, size, method="marginals")
            left = left - counts
            yield rng.permutation(np.repeat(np.arange(len(left)), counts))

    return _parts(rows, len(sizes), assigned())


def time_split(
    rows: Rows, column: str, fractions: Sequence[float] | None = None, at: Sequence[float | str | date] | None = None
) -> list[Rows]:
    """Rows by time: every row of a part is later than every row of the parts before.

    Rows of one time are in one part, so parts may differ from their fractions. With `fractions`, the times of all
    rows are in memory while it looks.

    Args:
        rows: Rows.
        column: str. The time, a number.
        fractions: of the parts, e.g. `(0.8, 0.2)`. Defaults to `None`.
        at: the times at which the second, third, ... part begin: numbers of the column, or, as text of ISO 8601 or
            dates, what they mean as seconds since 1970. Defaults to `None`.

    Raises:
        KeyError: there is no such column.
        TypeError: the column holds no single numbers.
        ValueError: both or none of `fractions` and `at`, a part that would be empty, or a missing time.
    """
    check_time(rows.schema[column])
    if (fractions is None) == (at is None):
        raise ValueError("time_split() takes either fractions or at. Give one of them.")
    times: Iterable[np.ndarray] = (present(table, column).to_numpy() for table in _tables(rows, column))
    if fractions is not None:
        bounds = _bounds(fractions)
        every = np.concatenate(list(times))
        first = np.minimum(np.round(bounds * len(every)).astype(np.int64), len(every) - 1)
        at = np.partition(every, first)[first].tolist()
        times = [every]
    begins = _begins(at)
    return _parts(rows, len(begins) + 1, (np.searchsorted(begins, chunk, "right") for chunk in times))


def group_split(rows: Rows, by: str, fractions: Sequence[float], seed: int = 0) -> list[Rows]:
    """Whole groups at random: all rows of a user (or item, or session) are in one part.

    A group's part depends on its key and the seed alone, so it stays where it is when rows are added. Parts have
    about their fraction of the groups.

    Args:
        rows: Rows.
        by: str. The column that tells the groups.
        fractions: of the parts; they add up to 1.
        seed: int. Defaults to 0.

    Raises:
        KeyError: there is no such column.
        TypeError: the column holds no single integers or strings.
        ValueError: fractions that don't add up to 1, a part that would be empty, or a missing key.
    """
    check_key(rows.schema[by])
    bounds = _bounds(fractions)
    keys = (key_hash(present(table, by)) for table in _tables(rows, by))
    return _parts(rows, len(bounds) + 1, (np.searchsorted(bounds, uniform(chunk, seed), "right") for chunk in keys))


def leave_one_out_split(rows: Rows, by: str, time: str, parts: int = 2) -> list[Rows]:
    """The last row of each user for test; with three parts, the last but one for validation.

    Users of fewer rows than `parts` are in the training part alone. Of rows of one time, the one stored later
    is later. Holds about 50 bytes a row in memory while it looks.

    Args:
        rows: Rows.
        by: str. The user column.
        time: str. The time column, a number.
        parts: int. 2 for (train, test), 3 for (train, validation, test). Defaults to 2.

    Raises:
        KeyError: there is no such column.
        TypeError: the users are no single integers or strings, or the times no single numbers.
        ValueError: `parts` is neither 2 nor 3, a part would be empty, or a user or time is missing.
    """
    if parts not in (2, 3):
        raise ValueError(f"leave_one_out_split() makes 2 or 3 parts. Received {parts}.")
    check_key(rows.schema[by])
    check_time(rows.schema[time])
    tables = ((key_hash(present(table, by)), present(table, time).to_numpy()) for table in _tables(rows, by, time))
    users, times = (np.concatenate(each) for each in zip(*tables, strict=True))
    order = np.lexsort((times, users))
    users = users[order]
    end = np.searchsorted(users, users, "right")
    count = end - np.searchsorted(users, users)
    later = end - 1 - np.arange(len(users))  # rows of the same user that come after
    assigned = np.zeros(len(users), np.int8)
    assigned[order] = np.where(count >= parts, np.maximum(0, parts - 1 - later), 0)
    return _parts(rows, parts, [assigned])


def _begins(at: Any) -> np.ndarray:
    """Times as numbers, in ascending order."""
    try:
        begins = np.array([_number(one) for one in at])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
        begins = np.zeros(0)
    if not len(begins) or begins.dtype == object or np.isnan(begins).any() or not (np.diff(begins) > 0).all():
        raise ValueError(
            "The parts of time_split() must begin one after the other, at a list of times that ascend, such as "
            f'[1537000000] or ["2018-09-15"]. Received {at!r}.'
        )
    return begins


def _number(time: Any) -> Any:
    """Seconds since 1970, where it is no number yet; None where it is no time."""
    if isinstance(time, int | float | np.number):
        return time
    return convert(pa.array([time]), pa.float64(), of_time=True)[0][0].as_py()


def _bounds(fractions: Sequence[float]) -> np.ndarray:
    shares = np.asarray(fractions, np.float64)
    if shares.ndim != 1 or len(shares) < 2 or not shares.min() > 0 or not abs(shares.sum() - 1) <= 1e-6:
        raise ValueError(
            "A split takes two or more positive fractions that add up to 1, such as (0.8, 0.2). "
            f"Received {shares.tolist()}."
        )
    return np.cumsum(shares)[:-1]


def _tables(rows: Rows, *columns: str) -> Iterator[pa.Table]:
    table = None
    for table in rows.select(rows.schema.select_by_name(dict.fromkeys(columns))).tables():
        yield table
    if table is None:
        raise ValueError(f"{rows.source} has no rows left to split.")


def _parts(rows: Rows, count: int, assigned: Iterable[np.ndarray]) -> list[Rows]:
    """`assigned` gives the part of every row, in order, in arrays."""
    masks = RowMask.parts(assigned, count)
    sizes = [mask.count() for mask in masks]
    if 0 in sizes:
        raise ValueError(f"Part {sizes.index(0)} of the split would hold no row: sizes {sizes}. Change the split.")
    return [rows.where(mask) for mask in masks]
