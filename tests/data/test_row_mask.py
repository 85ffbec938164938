"""Masks of rows: the same answers as a bool array."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfdual.data import row_mask
from tfdual.data.row_mask import RowMask

CHUNKS = st.lists(st.lists(st.booleans(), max_size=21), max_size=6)


def arrays(chunks: list[list[bool]]) -> list[np.ndarray]:
    return [np.array(chunk, bool) for chunk in chunks]


@given(chunks=CHUNKS, data=st.data())
def test_a_mask_answers_as_the_array_of_its_bools(chunks: list[list[bool]], data: st.DataObject) -> None:
    flat = [each for chunk in chunks for each in chunk]
    mask = RowMask(arrays(chunks))
    start = data.draw(st.integers(0, len(flat)))
    stop = data.draw(st.integers(start, len(flat)))
    assert len(mask) == len(flat)
    assert mask.between(start, stop).tolist() == flat[start:stop]
    assert mask.count(start, stop) == sum(flat[start:stop])
    assert mask.count() == sum(flat)


@given(chunks=CHUNKS, data=st.data())
def test_a_mask_inside_another_keeps_the_rows_of_the_rows_in_use(chunks: list[list[bool]], data: st.DataObject) -> None:
    outer = [each for chunk in chunks for each in chunk]
    inner = data.draw(st.lists(st.booleans(), min_size=sum(outer), max_size=sum(outer)))
    both = RowMask([np.array(inner, bool)]).inside(RowMask(arrays(chunks)))
    left = iter(inner)
    assert both.between(0, len(outer)).tolist() == [used and next(left) for used in outer]


@given(
    chunks=st.lists(st.lists(st.integers(0, 2), max_size=13), max_size=5),
    ranges=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=3),
)
def test_parts_and_ranges_are_the_rows_they_name(chunks: list[list[int]], ranges: list[tuple[int, int]]) -> None:
    flat = [each for chunk in chunks for each in chunk]
    masks = RowMask.parts([np.array(chunk, int) for chunk in chunks], 3)
    assert [mask.between(0, len(flat)).tolist() for mask in masks] == [[each == n for each in flat] for n in range(3)]
    expected = [any(start <= i < stop for start, stop in ranges) for i in range(40)]
    assert RowMask.ranges(40, ranges).between(0, 40).tolist() == expected


def test_ranges_and_nesting_hold_beyond_one_chunk(monkeypatch) -> None:
    monkeypatch.setattr(row_mask, "_CHUNK_ROWS", 8)
    outer = RowMask.ranges(50, [(3, 29), (40, 41)])
    assert np.flatnonzero(outer.between(0, 50)).tolist() == [*range(3, 29), 40]
    assert outer.count(5, 50) == 25
    inner = RowMask.ranges(27, [(0, 1), (6, 7), (26, 27)]).inside(outer)
    assert np.flatnonzero(inner.between(0, 50)).tolist() == [3, 9, 40]


def test_a_mask_takes_an_eighth_of_a_byte_a_row() -> None:
    chunks = (np.ones(1000, bool) for _ in range(1000))
    assert RowMask(chunks)._bits.nbytes == 125_000
