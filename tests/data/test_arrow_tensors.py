"""Arrow columns to NumPy: types, nulls, lists, vectors."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tfdual.data.arrow_tensors import check_columns, to_numpy
from tfdual.schema import ColumnSchema, Schema


def column(**arguments: Any) -> ColumnSchema:
    return ColumnSchema("x", **arguments)


@pytest.mark.parametrize(
    "array, dtype, expected",
    [
        (pa.array([1, 2], pa.int64()), "int64", [1, 2]),
        (pa.array([1, 2], pa.int16()), "int64", [1, 2]),
        (pa.array([1, 2], pa.int64()), "int32", [1, 2]),
        (pa.array([1.5, 2.25], pa.float64()), "float32", [1.5, 2.25]),
        (pa.array([3, 4], pa.int32()), "float32", [3.0, 4.0]),
        (pa.array([True, False]), "bool", [True, False]),
        (pa.array([True, False]), "float32", [1.0, 0.0]),
        (pa.array(["a", "é"]), "string", [b"a", "é".encode()]),
        (pa.array(["a", "é"], pa.large_string()), "string", [b"a", "é".encode()]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "string", [b"a", b"b", b"a"]),
        (pa.array([5, 6, 5]).dictionary_encode(), "int64", [5, 6, 5]),
        (pa.chunked_array([["a"], ["b", "c"]]), "string", [b"a", b"b", b"c"]),
    ],
)
def test_single_values_become_an_array_of_the_schemas_dtype(array: pa.Array, dtype: str, expected: list) -> None:
    values = to_numpy(array, column(dtype=dtype))
    assert values.tolist() == expected
    assert values.dtype == (object if dtype == "string" else np.dtype(dtype))


def test_ids_above_two_to_the_53_stay_exact() -> None:
    ids = [2**53 + 1, 2**63 - 1, -(2**63)]
    assert to_numpy(pa.array(ids), column()).tolist() == ids
    values, _ = to_numpy(pa.array([ids, []], pa.list_(pa.int64())), column(is_list=True))
    assert values.tolist() == ids


def test_a_missing_string_is_empty_and_a_missing_float_is_nan() -> None:
    assert to_numpy(pa.array(["a", None]), column(dtype="string")).tolist() == [b"a", b""]
    floats = to_numpy(pa.array([1.0, None]), column(dtype="float64"))
    assert floats[0] == 1.0
    assert np.isnan(floats[1])
    assert np.isnan(to_numpy(pa.array([1, None], pa.int32()), column(dtype="float32"))[1])


@pytest.mark.parametrize("dtype, values", [("int64", [1, None]), ("int32", [None, None]), ("bool", [True, None])])
def test_a_missing_integer_or_bool_is_refused(dtype: str, values: list) -> None:
    with pytest.raises(ValueError, match=rf"Column 'x' of dtype {dtype} holds \d nulls.*Fill or drop them"):
        to_numpy(pa.array(values, dtype if dtype != "bool" else pa.bool_()), column(dtype=dtype))


@pytest.mark.parametrize(
    "array, dtype",
    [(pa.array([2**31]), "int32"), (pa.array([2**63], pa.uint64()), "int64")],
)
def test_an_integer_that_overflows_is_refused(array: pa.Array, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"Column 'x' holds numbers that don't fit {dtype}.*wider dtype"):
        to_numpy(array, column(dtype=dtype))


def test_a_large_integer_may_be_a_dense_float() -> None:
    values = to_numpy(pa.array([1_700_000_001]), column(dtype="float32"))
    np.testing.assert_allclose(values, [1_700_000_001], rtol=1e-7)


@pytest.mark.parametrize("list_type", [pa.list_, pa.large_list])
def test_ragged_lists_become_values_and_lengths(list_type) -> None:
    array = pa.array([[1, 2], [], None, [3]], list_type(pa.int64()))
    values, lengths = to_numpy(array, column(is_list=True))
    assert values.tolist() == [1, 2, 3]
    assert lengths.tolist() == [2, 0, 0, 1]
    assert lengths.dtype == np.int64


def test_a_slice_of_lists_holds_its_own_values_only() -> None:
    array = pa.array([[9, 9], [1], [2, 3], [9]]).slice(1, 2)
    values, lengths = to_numpy(array, column(is_list=True))
    assert (values.tolist(), lengths.tolist()) == ([1, 2, 3], [1, 2])


def test_missing_strings_inside_lists_keep_their_place() -> None:
    values, lengths = to_numpy(pa.array([["a", None], [None]]), column(dtype="string", is_list=True))
    assert (values.tolist(), lengths.tolist()) == ([b"a", b"", b""], [2, 1])


def test_a_missing_integer_inside_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="holds 1 nulls"):
        to_numpy(pa.array([[1, None]]), column(is_list=True))


@pytest.mark.parametrize("list_type", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2)])
def test_vectors_become_a_matrix(list_type: pa.DataType) -> None:
    array = pa.array([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0]], list_type).slice(1)
    values = to_numpy(array, column(dtype="float32", dims=(None, 2)))
    assert values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("rows, row, width", [([[1.0, 2.0], [3.0]], 1, 1), ([None, [1.0, 2.0]], 0, 0)])
def test_a_vector_of_another_width_is_named(rows: list, row: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"'x' must hold 2 values a row. Row {row} of the batch has {width}"):
        to_numpy(pa.array(rows, pa.list_(pa.float64())), column(dtype="float64", dims=(None, 2)))


@pytest.mark.parametrize(
    "found, wanted",
    [
        (pa.string(), {"dtype": "int64"}),
        (pa.float64(), {"dtype": "int64"}),
        (pa.int64(), {"dtype": "string"}),
        (pa.int64(), {"dtype": "bool"}),
        (pa.string(), {"dtype": "float32"}),
        (pa.timestamp("s"), {"dtype": "int64"}),
        (pa.list_(pa.int64()), {"dtype": "int64"}),
        (pa.int64(), {"dtype": "int64", "is_list": True}),
        (pa.list_(pa.string()), {"dtype": "int64", "is_list": True}),
        (pa.float32(), {"dtype": "float32", "dims": (None, 2)}),
    ],
)
def test_a_type_that_does_not_fit_is_named(found: pa.DataType, wanted: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"Column 'x' of f\.parquet has the type .*; the schema wants"):
        check_columns(pa.schema([("x", found)]), Schema([column(**wanted)]), "f.parquet")


def test_columns_that_lack_are_named() -> None:
    with pytest.raises(ValueError, match=r"f\.parquet lacks the columns \['y', 'z'\].*It has \['x'\]"):
        check_columns(pa.schema([("x", pa.int64())]), Schema(["x", "y", "z"]), "f.parquet")
