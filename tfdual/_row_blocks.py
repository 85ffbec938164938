"""Rows in blocks of one size; counts are integers, or tensors where a graph doesn't know them."""

from typing import Any

from keras import ops

Count = Any


def divided(rows: Count, most: Count) -> tuple[Count, Count]:
    """How many blocks of at most `most` rows there are, and how many each has, at least 1; they may hold more rows."""
    count = at_least(1, -(-rows // at_least(1, most)))
    return count, at_least(1, -(-rows // count))


def cut(values: Any, count: Count, size: Count, value: float = 0) -> Any:
    """`(count, size, ...)`, with `value` after the last row."""
    values = fill(values, count * size - ops.shape(values)[0], value)
    return ops.reshape(values, (count, size, *ops.shape(values)[1:]))


def bounds(rows: Any, count: Count, size: Count) -> tuple[Any, Any]:
    """The first row of each block, and where its part of the sorted `rows` begins, `(count + 1,)` each."""
    starts = ops.arange(count + 1, dtype=rows.dtype) * size
    return starts, ops.searchsorted(rows, starts)


def fill(values: Any, spare: Count, value: float) -> Any:
    """`values`, and after them `value`, `spare` times."""
    return ops.concatenate([values, ops.full((spare, *ops.shape(values)[1:]), value, values.dtype)], axis=0)


def at_most(one: int, other: Count) -> Count:
    """The lower of both."""
    return min(one, other) if isinstance(other, int) else ops.minimum(one, other)


def at_least(one: int, other: Count) -> Count:
    """The higher of both."""
    return max(one, other) if isinstance(other, int) else ops.maximum(one, other)
