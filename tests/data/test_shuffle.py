"""Order of rows: rebatching, and windows of bounded memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdual.data import shuffle
from tfdual.data.shuffle import rebatched, shuffled


@given(sizes=st.lists(st.integers(0, 9), max_size=8), size=st.integers(1, 7), drop=st.booleans())
def test_rebatching_keeps_the_order_and_cuts_to_size(sizes: list[int], size: int, drop: bool) -> None:
    bounds = np.cumsum([0, *sizes]).tolist()
    parts = [pa.table({"x": pa.array(range(a, b), pa.int64())}) for a, b in zip(bounds, bounds[1:], strict=False)]
    batches = [batch["x"].to_pylist() for batch in rebatched(iter(parts), size, drop)]
    total = sum(sizes)
    assert [x for batch in batches for x in batch] == list(range(total // size * size if drop else total))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "READ_ROWS", 8)
    monkeypatch.setattr(shuffle, "WINDOW_ROWS", 20)


@pytest.mark.usefixtures("small_windows")
def test_a_source_larger_than_a_window_comes_in_windows_of_bounded_size(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": list(range(200))}), tmp_path / "rows.parquet", row_group_size=10)
    tables = list(shuffled(ds.dataset(tmp_path), ["x"], np.random.default_rng(0)))
    assert max(table.num_rows for table in tables) < 20 + 8
    values = [x for table in tables for x in table["x"].to_pylist()]
    assert sorted(values) == list(range(200))
    assert np.abs(np.corrcoef(values, np.arange(200))[0, 1]) < 0.3
