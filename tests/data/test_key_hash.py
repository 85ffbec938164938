"""Keys as integers, and the part that a key falls in."""

import numpy as np
import pyarrow as pa
import pytest

from tfdual import ColumnSchema
from tfdual.data.key_hash import check_key, check_time, key_hash, present, uniform


def test_integers_are_themselves() -> None:
    ids = [2**53 + 1, -(2**63), 2**63 - 1, 0]
    assert key_hash(pa.array(ids)).tolist() == ids
    assert key_hash(pa.array([7, -1], pa.int32())).tolist() == [7, -1]


def test_strings_hash_alike_only_when_they_are_alike() -> None:
    words = [f"user {i}" for i in range(10_000)]
    hashes = key_hash(pa.chunked_array([words[:5000], words[5000:]]))
    assert len(set(hashes.tolist())) == 10_000
    assert key_hash(pa.array(words)).tolist() == hashes.tolist()
    assert hashes.min() >= 0


def test_uniform_numbers_are_uniform_and_differ_by_seed() -> None:
    keys = np.arange(100_000)
    for seed in (0, 1, -3, 2**40):
        numbers = uniform(keys, seed)
        counts = np.histogram(numbers, 20, (0, 1))[0]
        assert counts.sum() == 100_000
        assert ((counts - 5000) ** 2 / 5000).sum() < 50  # chi-square with 19 degrees of freedom: p = 1e-4
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(uniform(keys, 0), uniform(keys, 1))[0, 1]) < 0.02
    assert uniform(keys[::-1], 0).tolist() == uniform(keys, 0)[::-1].tolist()


@pytest.mark.parametrize(
    "column, held",
    [
        (ColumnSchema("x", dtype="float32"), "float32"),
        (ColumnSchema("x", dtype="bool"), "bool"),
        (ColumnSchema("x", dtype="string", is_list=True), "lists of string"),
    ],
)
def test_a_key_of_another_type_is_named(column: ColumnSchema, held: str) -> None:
    with pytest.raises(TypeError, match=f"single integer or string. 'x' holds {held}"):
        check_key(column)


def test_a_time_of_another_type_is_named() -> None:
    check_time(ColumnSchema("t", dtype="float64"))
    with pytest.raises(TypeError, match="A time is a single number. 't' holds string"):
        check_time(ColumnSchema("t", dtype="string"))
    with pytest.raises(TypeError, match="'t' holds lists of int64"):
        check_time(ColumnSchema("t", is_list=True))
    with pytest.raises(TypeError, match="Times as float32 lose digits. Give column 't' the dtype int64 or float64"):
        check_time(ColumnSchema("t", dtype="float32"))


@pytest.mark.parametrize("values", [[1, None, 2], [1.0, float("nan"), 2.0], ["a", None, "b"]])
def test_a_missing_value_is_counted_and_named(values: list) -> None:
    with pytest.raises(ValueError, match="Column 'x' tells where a row belongs, and 1 rows lack it"):
        present(pa.table({"x": values}), "x")
    assert present(pa.table({"x": values}).filter(pa.array([True, False, True])), "x").null_count == 0
