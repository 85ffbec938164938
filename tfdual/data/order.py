"""Order of rows: as stored, or shuffled in bounded memory; begun anywhere."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfdual.data.arrow_types import widened
from tfdual.data.row_stream import RowStream

PIECE_BYTES = 1 << 30


def stored(stream: RowStream, skip: int = 0) -> Iterator[pa.Table]:
    """The rows as they are stored, without the first `skip`."""
    if not skip:
        yield from stream.tables()
        return
    yield from _after(stream, list(range(len(stream.source.parts))), skip)


def shuffled(stream: RowStream, seed: tuple[int, ...], skip: int = 0) -> Iterator[pa.Table]:
    """The rows in random order, one window of `stream.window_rows` in memory at a time.

    Parts (row groups, files) are read in random order and cut into windows, and each window is permuted. What
    has up to a window's rows is permuted as a whole. The order depends on rows, parts and seed alone, so it can be
    taken up after any number of rows without reading the parts before.

    Args:
        stream: RowStream.
        seed: tuple of int. One for each epoch.
        skip: int. Rows to leave out at the start. Defaults to 0.
    """
    parts = np.random.default_rng((*seed, 0)).permutation(len(stream.source.parts)).tolist()
    size = stream.window_rows
    first, inside = divmod(skip, size)
    for number, window in enumerate(rebatched(_after(stream, parts, first * size), size, False), first):
        order = np.random.default_rng((*seed, number + 1)).permutation(window.num_rows)
        order = pa.array(order[inside:] if number == first else order)
        if len(order):
            # A column at a time, and none held while the next window is read: memory is the window and one column.
            columns = [taken(column, order) for column in window.columns]
            del order
            window = pa.Table.from_arrays(columns, schema=window.schema)
            del columns
            yield window
        del window


def taken(column: pa.ChunkedArray, order: pa.Array) -> pa.ChunkedArray:
    """The values at the places `order`; in several chunks where there are more than 32-bit offsets reach."""
    if column.nbytes <= PIECE_BYTES:
        return pa.chunked_array([column.combine_chunks().take(order)])
    values = column.cast(widened(column.type)).combine_chunks()
    return pa.chunked_array(_pieces(values, order, column.type))


def _pieces(values: pa.Array, order: pa.Array, wanted: pa.DataType) -> Iterator[pa.Array]:
    is_one = len(order) == 1
    if is_one or values.nbytes * len(order) <= PIECE_BYTES * len(values):
        piece = values.take(order)
        if is_one or piece.nbytes <= PIECE_BYTES:
            yield piece.cast(wanted)
            return
        del piece
    half = len(order) // 2
    yield from _pieces(values, order[:half], wanted)
    yield from _pieces(values, order[half:], wanted)


def rebatched(tables: Iterator[pa.Table], size: int, drop_remainder: bool) -> Iterator[pa.Table]:
    """Cut and join tables so that each has `size` rows; the last may have fewer."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows < size:
            continue
        joined = waiting[0] if len(waiting) == 1 else pa.concat_tables(waiting)
        whole = rows // size * size
        rows -= whole
        waiting = [joined.slice(whole)] if rows else []
        cut = [joined.slice(start, size) for start in range(whole - size, -1, -size)]
        del table, joined  # What was given is not held while the next is asked for.
        while cut:
            yield cut.pop()
    if rows and not drop_remainder:
        yield pa.concat_tables(waiting)


def _after(stream: RowStream, parts: list[int], skip: int) -> Iterator[pa.Table]:
    """The rows of `parts` in that order, without the first `skip`; parts before are not read."""
    done = 0
    while skip and done < len(parts) and stream.part_rows[parts[done]] <= skip:
        skip -= stream.part_rows[parts[done]]
        done += 1
    for table in stream.tables(parts[done:]):
        if skip >= table.num_rows:
            skip -= table.num_rows
            continue
        yield table.slice(skip)
        skip = 0
