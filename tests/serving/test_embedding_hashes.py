"""Rows that are equal have one hash, however Arrow holds them; others have another."""

import pyarrow as pa
import pytest

from tfdual.serving.embedding_hashes import RowsHash

COLUMNS = {
    "id": pa.array([3, 4, None], pa.int64()),
    "price": pa.array([1.5, None, -2.0], pa.float32()),
    "is_new": pa.array([True, False, None]),
    "title": pa.array(["té", None, ""], pa.string()),
    "words": pa.array([["a", "bc"], [], ["d"]], pa.list_(pa.string())),
    "vector": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.float32(), 2)),
    "empty": pa.array(["", "", ""], pa.string()),
}


def digest(*tables: pa.Table) -> str:
    taken = RowsHash()
    for table in tables:
        taken.update(table)
    return taken.hexdigest()


@pytest.mark.parametrize("name", COLUMNS)
def test_a_slice_and_chunks_have_the_hash_of_the_rows_alone(name: str) -> None:
    column = COLUMNS[name]
    whole = digest(pa.table({name: column}))
    longer = pa.table({name: pa.concat_arrays([column[:2], column])})
    chunks = pa.table({name: pa.chunked_array([column[:1], column[1:]])})
    assert digest(longer.slice(2)) == digest(chunks) == whole


@pytest.mark.parametrize(
    "one, other",
    [
        (["ab", "c"], ["a", "bc"]),
        (["", "x"], [None, "x"]),
        ([None, 1], [1, None]),
        ([[1], [2, 3]], [[1, 2], [3]]),
        ([1, 2], [2, 1]),
        ([1, 2], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, 2.0000002]),
    ],
)
def test_other_values_have_another_hash(one: list, other: list) -> None:
    assert digest(pa.table({"x": one})) != digest(pa.table({"x": other}))


def test_columns_are_told_apart_by_name() -> None:
    assert digest(pa.table({"x": [1], "y": [2]})) != digest(pa.table({"x": [2], "y": [1]}))
    assert digest(pa.table({"x": [1]})) != digest(pa.table({"y": [1]}))
