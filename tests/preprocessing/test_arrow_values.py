"""Arrow arrays to tensors and back."""

import pyarrow as pa
import pytest

from tests.preprocessing.fitting import plain
from tfdual import ColumnSchema
from tfdual.preprocessing.arrow_values import to_arrow, to_tensor
from tfdual.preprocessing.value_counts import ValueCounts

PAIR = pa.list_(pa.float32(), 2)


@pytest.mark.parametrize(
    ("column", "array", "expected"),
    [
        (ColumnSchema("x"), pa.array([3, None]), [3, -1]),
        (ColumnSchema("x", dtype="string"), pa.array(["é", None]), ["é".encode(), b""]),
        (ColumnSchema("x", is_list=True), pa.array([[2**53 + 1, 2], [], []]), [[2**53 + 1, 2], [], []]),
        (ColumnSchema("x", is_list=True), pa.array([[9], [1], [2, 3]]).slice(1), [[1], [2, 3]]),
        (ColumnSchema("x", dtype="float32", dims=(None, 2)), pa.array([[3, 4], [1, 2]], PAIR), [[3, 4], [1, 2]]),
        (ColumnSchema("x", dtype="bool"), pa.array([True, False]), [True, False]),
    ],
)
def test_tensors_hold_the_values_and_the_marks_of_the_missing(
    column: ColumnSchema, array: pa.Array, expected: list
) -> None:
    tensor = to_tensor(column, array)
    assert tensor.dtype == column.dtype
    assert plain(tensor) == expected
    assert plain(to_tensor(column, to_arrow(tensor))) == expected


def test_counts_are_merged_over_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdual.preprocessing.value_counts.MERGE_ROWS", 10)
    counts = ValueCounts()
    for i in range(200):
        counts.add(pa.array([f"v{i % 37}", f"v{i}", "all", "all"]))
        assert sum(part.num_rows for part in counts._parts) <= 2 * 201 + 10
    table = counts.table()
    found = dict(zip(table["value"].to_pylist(), table["count"].to_pylist(), strict=True))
    expected: dict[str, int] = {"all": 400}
    for i in range(200):
        for value in (f"v{i % 37}", f"v{i}"):
            expected[value] = expected.get(value, 0) + 1
    assert found == expected
