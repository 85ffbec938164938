"""Order of rows: rebatching, shuffling in windows of bounded memory, and beginning anywhere."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual import ColumnSchema, Rows, Schema, read
from tfdual.data import order as orders
from tfdual.data import row_stream
from tfdual.data.order import rebatched, shuffled, stored
from tfdual.data.row_mask import RowMask


@given(sizes=st.lists(st.integers(0, 9), max_size=8), size=st.integers(1, 7), drop=st.booleans())
def test_rebatching_keeps_the_order_and_cuts_to_size(sizes: list[int], size: int, drop: bool) -> None:
    bounds = np.cumsum([0, *sizes]).tolist()
    parts = [pa.table({"x": pa.array(range(a, b), pa.int64())}) for a, b in zip(bounds, bounds[1:], strict=False)]
    batches = [batch["x"].to_pylist() for batch in rebatched(iter(parts), size, drop)]
    total = sum(sizes)
    assert [x for batch in batches for x in batch] == list(range(total // size * size if drop else total))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches)


@pytest.fixture(scope="module")
def windows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_stream, "WINDOW_ROWS", 24)
        yield


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, windows: None) -> Rows:
    """Two files of 200 rows in row groups of 10 and of 7."""
    folder = tmp_path_factory.mktemp("order")
    pq.write_table(pa.table({"x": list(range(110))}), folder / "a.parquet", row_group_size=10)
    pq.write_table(pa.table({"x": list(range(110, 200))}), folder / "b.parquet", row_group_size=7)
    return read(folder, Schema(["x"]))


def values(tables: Iterator[pa.Table]) -> list[int]:
    return [x for table in tables for x in table["x"].to_pylist()]


def test_a_source_larger_than_a_window_comes_in_windows(rows: Rows) -> None:
    tables = list(shuffled(rows.stream, (0, 0)))
    assert [table.num_rows for table in tables] == [24] * 8 + [8]
    assert sorted(values(iter(tables))) == list(range(200))


def test_each_window_mixes_row_groups_that_lie_apart(rows: Rows) -> None:
    spread = [np.ptp(table["x"].to_numpy()) for table in shuffled(rows.stream, (3, 0))]
    assert np.median(spread) > 60
    inside = [
        np.corrcoef(table["x"].to_numpy(), np.arange(24))[0, 1]
        for table in shuffled(rows.stream, (3, 0))
        if table.num_rows == 24
    ]
    assert abs(np.mean(inside)) < 0.25


def test_over_epochs_a_row_comes_at_every_place_with_one_probability(rows: Rows) -> None:
    epochs = 400
    places = np.array([np.argsort(values(shuffled(rows.stream, (11, epoch)))) for epoch in range(epochs)])
    for row in (0, 57, 109, 110, 199):
        counts = np.histogram(places[:, row], 8, (0, 200))[0]
        assert ((counts - epochs / 8) ** 2 / (epochs / 8)).sum() < 30  # chi-square, 7 degrees of freedom: p = 1e-4


def test_what_fits_a_window_is_one_uniform_permutation() -> None:
    small = read({"x": [0, 1, 2]}, Schema(["x"]))
    orders = [tuple(values(shuffled(small.stream, (0, epoch)))) for epoch in range(1200)]
    counts = np.unique(np.array(orders), axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 200) ** 2 / 200).sum() < 26  # 5 degrees of freedom: p = 1e-4


@settings(deadline=None, max_examples=60)
@given(skip=st.integers(0, 200), epoch=st.integers(0, 3), masked=st.booleans(), is_shuffled=st.booleans())
def test_an_order_taken_up_anywhere_is_the_rest_of_the_whole(
    rows: Rows, skip: int, epoch: int, masked: bool, is_shuffled: bool
) -> None:
    if masked:
        rows = rows.where(RowMask([np.random.default_rng(0).random(200) < 0.4]))
    order = (
        (lambda skip: shuffled(rows.stream, (5, epoch), skip))
        if is_shuffled
        else (lambda skip: stored(rows.stream, skip))
    )
    assert values(order(skip)) == values(order(0))[skip:]


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_parts_that_lie_before_are_not_read(rows: Rows, is_shuffled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    read_parts: list[int] = []
    blocks = rows.stream.source.blocks

    def counting(part, wanted, size):
        read_parts.append(part.rows)
        return blocks(part, wanted, size)

    monkeypatch.setattr(rows.stream.source, "blocks", counting)
    left = values(shuffled(rows.stream, (0, 0), 144) if is_shuffled else stored(rows.stream, 144))
    assert len(left) == 56
    assert 56 <= sum(read_parts) < 56 + 10


@pytest.mark.parametrize(
    "column, rows_in_window",
    [
        (ColumnSchema("x"), 524_288),
        (ColumnSchema("x", dtype="float32", dims=(None, 1024)), 32_768),
        (ColumnSchema("x", dtype="string", dims=(None, 4096)), 2_048),
    ],
)
def test_the_window_of_wide_rows_is_smaller(
    column: ColumnSchema, rows_in_window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_stream, "WINDOW_ROWS", 524_288)
    stream = row_stream.RowStream(read({"y": [1]}, Schema(["y"])).stream.source, Schema([column]))
    assert stream.window_rows == rows_in_window


def test_a_block_is_an_eighth_of_a_window(tmp_path: Path, windows: None) -> None:
    pq.write_table(pa.table({"x": list(range(100))}), tmp_path / "one.parquet")
    pieces = list(read(tmp_path, Schema(["x"])).stream.pieces())
    assert max(piece.block.table.num_rows for piece in pieces) == 3


@pytest.mark.parametrize(
    "column",
    [
        pa.array([f"{i}" * (i % 7) for i in range(100)]),
        pa.array([None, "x" * 999, *(str(i) for i in range(98))]),
        pa.array([[f"{i}"] * (i % 3) for i in range(100)]),
        pa.array([[i] * (i % 5) for i in range(100)]),
        pa.array([[f"{i}", "x" * i] for i in range(100)], pa.list_(pa.string(), 2)),
        pa.array(range(100)),
    ],
    ids=lambda column: str(column.type),
)
def test_values_beyond_offsets_of_32_bits_are_taken_in_pieces(
    column: pa.Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "PIECE_BYTES", 200)
    places = np.random.default_rng(0).permutation(100)[:90]
    found = orders.taken(pa.chunked_array([column[:37], column[37:]]), pa.array(places))
    held = column.to_pylist()
    assert found.type == column.type
    assert found.to_pylist() == [held[place] for place in places]
    assert all(chunk.nbytes <= 200 or len(chunk) == 1 for chunk in found.chunks)


@pytest.mark.slow
def test_texts_of_more_than_2_gib_are_taken_in_another_order() -> None:
    letters = "abcdefgh"
    column = pa.chunked_array([pa.array([letter * (1 << 23) for letter in letters])] * 33)
    assert column.nbytes > 2**31
    places = [263, 1, 130]
    found = orders.taken(column, pa.array(places)).to_pylist()
    assert [text[:2] for text in found] == [letters[place % 8] * 2 for place in places]
