"""Rows in blocks of one size."""

from keras import ops

from tfdual._typing import Tensor

BLOCK_ROWS = 256
BLOCK_SCORES = 2**24  # at most, 64 MiB
Count = Tensor | int


def blocks_of(rows: Count, columns: Count) -> tuple[Count, Count]:
    """How many blocks there are, and how many rows each has, at least one; they may hold more than `rows`."""
    size = _at_least(1, at_most(BLOCK_ROWS, BLOCK_SCORES // columns))
    count = _at_least(1, -(-rows // size))
    return count, _at_least(1, -(-rows // count))


def cut(values: Tensor, count: Count, size: Count) -> Tensor:
    """`(count, size, ...)`, with zeros after the last row."""
    values = fill(values, count * size - ops.shape(values)[0], 0)
    return ops.reshape(values, (count, size, *values.shape[1:]))


def bounds(rows: Tensor, count: Count, size: Count) -> tuple[Tensor, Tensor]:
    """The first row of each block, and where its part of the sorted `rows` begins, `(count + 1,)` each."""
    starts = ops.arange(count + 1, dtype=rows.dtype) * size
    return starts, ops.searchsorted(rows, starts)


def fill(values: Tensor, spare: Count, value: float) -> Tensor:
    """`values`, and after them `value`, `spare` times."""
    return ops.concatenate([values, ops.full((spare, *values.shape[1:]), value, values.dtype)], axis=0)


def at_most(one: int, other: Count) -> Count:
    """The lower of both."""
    return min(one, other) if isinstance(other, int) else ops.minimum(one, other)


def _at_least(one: int, other: Count) -> Count:
    return max(one, other) if isinstance(other, int) else ops.maximum(one, other)
