"""Arrow columns to NumPy: types, missing values, lists, vectors."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tfdual._arrow_arrays import to_numpy


@pytest.mark.parametrize(
    "array, dtype, expected",
    [
        (pa.array([1, 2], pa.int64()), "int64", [1, 2]),
        (pa.array([1, 2], pa.int32()), "int32", [1, 2]),
        (pa.array([1.5, 2.25], pa.float32()), "float32", [1.5, 2.25]),
        (pa.array([0.1], pa.float64()), "float64", [0.1]),
        (pa.array([True, False]), "bool", [True, False]),
        (pa.array(["a", "é"]), "string", [b"a", "é".encode()]),
        (pa.chunked_array([["a"], ["b", "c"]]), "string", [b"a", b"b", b"c"]),
        (pa.chunked_array([[1], [2, 3]]), "int64", [1, 2, 3]),
    ],
)
def test_single_values_become_an_array_of_the_schemas_dtype(array: Any, dtype: str, expected: list) -> None:
    values = to_numpy(array)
    assert values.tolist() == expected
    assert values.dtype == (object if dtype == "string" else np.dtype(dtype))


def test_ids_above_two_to_the_53_stay_exact() -> None:
    ids = [2**53 + 1, 2**63 - 1, -(2**63)]
    assert to_numpy(pa.array(ids)).tolist() == ids
    assert to_numpy(pa.array([*ids, None])).tolist() == [*ids, -1]
    values, _ = to_numpy(pa.array([ids, []], pa.list_(pa.int64())))
    assert values.tolist() == ids


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_a_missing_id_is_minus_one_of_its_dtype(dtype: str) -> None:
    values = to_numpy(pa.array([5, None], dtype))
    assert (values.tolist(), values.dtype) == ([5, -1], np.dtype(dtype))


def test_a_missing_string_is_empty_and_a_missing_float_is_nan() -> None:
    assert to_numpy(pa.array(["a", None])).tolist() == [b"a", b""]
    for dtype in ("float32", "float64"):
        floats = to_numpy(pa.array([1.0, None], pa.type_for_alias(dtype)))
        assert floats.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(floats, [1.0, np.nan])


def test_ragged_lists_become_values_and_lengths() -> None:
    values, lengths = to_numpy(pa.array([[1, 2], [], [3]]))
    assert (values.tolist(), lengths.tolist(), lengths.dtype) == ([1, 2, 3], [2, 0, 1], np.int64)


def test_a_slice_of_lists_holds_its_own_values_only() -> None:
    array = pa.array([[9, 9], [1], [2, 3], [9]]).slice(1, 2)
    values, lengths = to_numpy(array)
    assert (values.tolist(), lengths.tolist()) == ([1, 2, 3], [1, 2])
    words, lengths = to_numpy(pa.array([["z"], ["a", "b"], []]).slice(1))
    assert (words.tolist(), lengths.tolist()) == ([b"a", b"b"], [2, 0])


def test_vectors_become_a_matrix() -> None:
    array = pa.array([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)).slice(1)
    assert to_numpy(array).tolist() == [[1.0, 2.0], [3.0, 4.0]]
