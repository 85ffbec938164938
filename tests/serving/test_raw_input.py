"""Raw query columns at the door: what is taken, and what is refused by name."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.serving.examples import parse_examples
from tfdual.serving.raw_input import tensor_spec, to_dense, to_ragged

TIMES = [datetime(2024, 2, 10, 12), datetime(1969, 12, 31, 23, 59, 58)]


def schema(**arguments: Any) -> Schema:
    return Schema([ColumnSchema("x", **arguments)])


def dense(values: Any, **arguments: Any) -> tf.Tensor:
    return to_dense({"x": values}, schema(**arguments))["x"]


@pytest.mark.parametrize(
    "values, arguments, expected",
    [
        (["a", "é"], {"dtype": "string"}, [b"a", "é".encode()]),
        ([b"a"], {"dtype": "string"}, [b"a"]),
        (np.array(["a", "bc"]), {"dtype": "string"}, [b"a", b"bc"]),
        ([2**53 + 1, -5], {"dtype": "int64"}, [2**53 + 1, -5]),
        ([7], {"dtype": "int32"}, [7]),
        (np.array([7], np.int32), {"dtype": "int64"}, [7]),
        ([3, 4], {"dtype": "float32"}, [3.0, 4.0]),
        ([0.1], {"dtype": "float64"}, [0.1]),
        ([True, False], {"dtype": "bool"}, [True, False]),
        ([[0.5, 2.0]], {"dtype": "float32", "dims": (None, 2)}, [[0.5, 2.0]]),
        (np.ones((2, 2)), {"dtype": "float32", "dims": (None, 2)}, [[1.0, 1.0], [1.0, 1.0]]),
        ([[1, 2], [], [3]], {"is_list": True}, [[1, 2], [-1, -1], [3, -1]]),
        ([[2**53 + 1]], {"is_list": True}, [[2**53 + 1]]),
        ([[], []], {"is_list": True}, [[-1], [-1]]),
        ([["a"], ["b", "c"]], {"dtype": "string", "is_list": True}, [[b"a", b""], [b"b", b"c"]]),
        ([np.array([4, 5]), (6,)], {"is_list": True}, [[4, 5], [6, -1]]),
    ],
)
def test_python_values_and_arrays_become_tensors_of_the_column(values: Any, arguments: dict, expected: list) -> None:
    tensor = dense(values, **arguments)
    assert tensor.numpy().tolist() == expected
    assert tensor.dtype.name == arguments.get("dtype", "int64")


@pytest.mark.parametrize(
    "values, arguments, expected",
    [
        ([1.5, None], {"dtype": "float32"}, [1.5, np.nan]),
        ([None, 7], {"dtype": "int64"}, [-1, 7]),
        (["a", None], {"dtype": "string"}, [b"a", b""]),
        ([True, None], {"dtype": "bool"}, [True, False]),
        ([None, [1.0, 2.0]], {"dtype": "float32", "dims": (None, 2)}, [[0.0, 0.0], [1.0, 2.0]]),
        ([[4], None], {"is_list": True}, [[4], [-1]]),
        (np.array(["a", None], object), {"dtype": "string"}, [b"a", b""]),
        (pd.Series(["a", None]), {"dtype": "string"}, [b"a", b""]),
        (pd.Series(["a", None], dtype=object), {"dtype": "string"}, [b"a", b""]),
        (pd.Series([1.5, None]), {"dtype": "float32"}, [1.5, np.nan]),
    ],
)
def test_none_is_a_missing_value_of_a_nullable_column(values: Any, arguments: dict, expected: list) -> None:
    found = dense(values, **arguments, properties={"nullable": True}).numpy()
    np.testing.assert_array_equal(found, np.array(expected, found.dtype))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("make", [np.asarray, pd.Series], ids=["numpy", "pandas"])
def test_times_are_seconds_as_read_gives_them(make: Any, unit: str) -> None:
    times = np.array(["2024-02-10T12:00:00", "1969-12-31T23:59:58"], f"datetime64[{unit}]")
    rows = tfdual.read(pa.table({"x": pa.array(times)}), schema(dtype="int64"))
    wanted = [row["x"] for row in rows.take(2)]
    assert wanted == [1707566400, -2]
    assert dense(make(times), dtype="int64").numpy().tolist() == wanted
    assert dense(make(times), dtype="float64").numpy().tolist() == wanted


def test_times_with_parts_of_a_second_and_missing_ones_are_floats() -> None:
    times = np.array(["2024-02-10T12:00:00.250", "NaT"], "datetime64[ms]")
    np.testing.assert_array_equal(dense(times, dtype="float64"), [1707566400.25, np.nan])
    with pytest.raises(ValueError, match="takes a list of int64"):
        dense(times, dtype="int64")


@pytest.mark.parametrize("make", [dict, pa.table, pd.DataFrame, pl.DataFrame])
def test_columns_come_as_a_dict_a_frame_or_a_table(make: Any) -> None:
    found = to_dense(make({"x": [3, 4]}), schema())
    assert found["x"].numpy().tolist() == [3, 4]


NULLABLE_IDS = {"tags": [Tags.CATEGORICAL], "properties": {"nullable": True}}


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (lambda: pd.DataFrame({"x": pd.to_datetime(TIMES).tz_localize("Europe/Oslo")}), {"dtype": "int64"}),
        (lambda: pl.DataFrame({"x": TIMES}), {"dtype": "float64"}),
        (lambda: pa.table({"x": pa.array(TIMES)}), {"dtype": "int64"}),
        (lambda: pa.table({"x": pa.array([time.date() for time in TIMES])}), {"dtype": "float64"}),
        (lambda: pa.table({"x": pa.array([Decimal("1.5"), Decimal("-2")])}), {"dtype": "float32"}),
        (lambda: pa.table({"x": [0.1, None]}), {"dtype": "float32", "properties": {"nullable": True}}),
        (lambda: pd.DataFrame({"x": pd.array([1, None], "Int64")}), NULLABLE_IDS),
        (lambda: pl.DataFrame({"x": [1, None]}), NULLABLE_IDS | {"dtype": "int32"}),
        (lambda: pd.DataFrame({"x": ["a", None]}), {"dtype": "string", "properties": {"nullable": True}}),
        (lambda: pd.DataFrame({"x": pd.Categorical(["b", "a"])}), {"dtype": "string"}),
        (lambda: pa.table({"x": [True, False]}), {"dtype": "bool"}),
    ],
)
def test_frames_and_tables_are_taken_as_read_takes_them(make: Any, arguments: dict) -> None:
    columns = schema(**arguments)
    read = next(iter(tfdual.read(make(), columns).batch(2)))["x"]
    np.testing.assert_array_equal(to_dense(make(), columns)["x"], read)


@pytest.mark.parametrize("kind", [list, pa.array, pd.Series, np.array])
def test_times_may_be_spelled_in_iso_8601(kind: Callable[[list[str]], Any]) -> None:
    times = kind(["2024-02-10T12:00:00Z", "1969-12-31 23:59:58"])
    (found,) = to_dense(pa.table({"x": times}) if kind is pa.array else {"x": times}, schema(tags=[Tags.TIME])).values()
    np.testing.assert_array_equal(found, [1707566400, -2])
    with pytest.raises(ValueError, match="'x' takes a list of int64"):
        dense(kind(["noon", "1969-12-31 23:59:58"]) if kind is not pa.array else ["noon"], tags=[Tags.TIME])


@pytest.mark.parametrize("values", [[1, None], [1.5, 2.0], ["a", "b"]])
def test_what_read_refuses_of_a_frame_is_refused(values: list) -> None:
    with pytest.raises(ValueError, match=r"'x' takes a list of int64, one entry a row. Received \["):
        to_dense(pa.table({"x": values}), schema())


@pytest.mark.parametrize(
    "values, arguments",
    [
        ([1.0, np.inf], {"dtype": "float32"}),
        (np.array([1.0, 1e39]), {"dtype": "float32"}),
        ([-np.inf], {"dtype": "float64", "properties": {"nullable": True}}),
        ([[1.0, np.nan]], {"dtype": "float32", "dims": (None, 2)}),
        ([[1.0], [np.inf]], {"dtype": "float32", "dims": (None, None)}),
    ],
)
def test_numbers_are_finite(values: Any, arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"'x' takes finite numbers. Received (nan|inf|-inf)"):
        dense(values, **arguments)


@pytest.mark.parametrize("features", [[{"x": 3}], 7])
def test_columns_without_names_are_refused(features: Any) -> None:
    with pytest.raises(TypeError, match="Raw columns come by their names"):
        to_dense(features, schema())


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"dtype": "float32"}, [np.nan]),
        ({"dtype": "int32"}, [-1]),
        ({"dtype": "bool"}, [False]),
        ({"dtype": "string"}, [b""]),
        ({"dtype": "float32", "dims": (None, 3)}, [[0.0, 0.0, 0.0]]),
        ({"dtype": "string", "dims": (None, 2)}, [[b"", b""]]),
    ],
)
def test_a_column_left_out_is_the_same_as_one_of_none_and_as_an_example_without_it(
    arguments: dict, expected: list
) -> None:
    both = Schema([ColumnSchema("x", properties={"nullable": True}, **arguments), ColumnSchema("y")])
    wanted = np.array(expected, arguments["dtype"] if arguments["dtype"] != "string" else object)
    np.testing.assert_array_equal(to_dense({"y": [1]}, both)["x"], wanted)
    np.testing.assert_array_equal(to_dense({"y": [1], "x": [None]}, both)["x"], wanted)
    written = tf.train.Example()
    written.features.feature["y"].int64_list.value.append(1)
    examples = tf.constant([written.SerializeToString()])
    np.testing.assert_array_equal(parse_examples(examples, both, "int64", False)[0]["x"], wanted)


@pytest.mark.parametrize(
    "dtype, lists",
    [
        ("int64", [[1, 2], [], [3]]),
        ("string", [[b"a"], [b"b", b"c"], []]),
        ("float32", [[0.5], [], [1.5, 2.5]]),
        ("float64", [[], []]),
    ],
)
def test_padding_comes_off_again(dtype: str, lists: list) -> None:
    one = schema(dtype=dtype, is_list=True)
    assert to_ragged(to_dense({"x": lists}, one), one)["x"].to_list() == lists
    ragged = tf.ragged.constant(lists, dtype=dtype)
    assert to_ragged(to_dense({"x": ragged}, one), one)["x"].to_list() == lists


def test_padding_between_values_is_a_value() -> None:
    lists = to_ragged({"x": tf.constant([["", "a", "", ""], ["", "", "", ""]])}, schema(dtype="string", is_list=True))
    assert lists["x"].to_list() == [[b"", b"a"], []]


@pytest.mark.parametrize(
    "values, arguments, wanted",
    [
        ("u17", {"dtype": "string"}, "a list of string"),
        ([1], {"dtype": "string"}, "a list of string"),
        ([None], {"dtype": "string"}, "a list of string"),
        ([["u17"]], {"dtype": "string"}, "a list of string"),
        (["1"], {"dtype": "int64"}, "a list of int64"),
        ([1.5], {"dtype": "int64"}, "a list of int64"),
        (np.array([1.5]), {"dtype": "int64"}, "a list of int64"),
        ([True], {"dtype": "int64"}, "a list of int64"),
        ([1, "a"], {"dtype": "int64"}, "a list of int64"),
        ([2**31], {"dtype": "int32"}, "a list of int32"),
        ([2**70], {"dtype": "int64"}, "a list of int64"),
        (7, {"dtype": "int64"}, "a list of int64"),
        (["x"], {"dtype": "float32"}, "a list of float32"),
        ([[1.0, 2.0]], {"dtype": "float32", "dims": (None, 3)}, "a list of lists of 3 numbers each of float32"),
        ([1.0, 2.0, 3.0], {"dtype": "float32", "dims": (None, 3)}, "a list of lists of 3 numbers each of float32"),
        ([1, 2], {"is_list": True}, "a list of lists of int64"),
        ([["a"]], {"is_list": True}, "a list of lists of int64"),
        ([[1.5]], {"is_list": True}, "a list of lists of int64"),
        (["ab", "c"], {"dtype": "string", "is_list": True}, "a list of lists of string"),
        (None, {"is_list": True}, "a list of lists of int64"),
        ([1.5, None], {"dtype": "float32"}, "a list of float32"),
        (["a", None], {"dtype": "string"}, "a list of string"),
        ([[1], None], {"is_list": True}, "a list of lists of int64"),
    ],
)
def test_a_wrong_type_or_shape_is_named(values: Any, arguments: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=rf"^Column 'x' takes {wanted}, one entry a row. Received "):
        dense(values, **arguments)


def test_columns_unknown_and_missing_are_named() -> None:
    two = Schema(["a", "b"])
    with pytest.raises(ValueError, match=r"doesn't know the columns \['c'\] here. It takes \['a', 'b'\]"):
        to_dense({"a": [1], "b": [1], "c": [1]}, two)
    with pytest.raises(ValueError, match=r"input lacks the columns \['b'\]. The model takes \['a', 'b'\]"):
        to_dense({"a": [1]}, two)


def test_columns_of_different_numbers_of_queries_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same number of rows. Received \{'a': 1, 'b': 2\}"):
        to_dense({"a": [1], "b": [1, 2]}, Schema(["a", "b"]))


def test_the_signature_takes_dense_tensors() -> None:
    shapes = {
        "one": tensor_spec(ColumnSchema("one")).shape.as_list(),
        "list": tensor_spec(ColumnSchema("list", is_list=True)).shape.as_list(),
        "vector": tensor_spec(ColumnSchema("vector", dtype="float32", dims=(None, 4))).shape.as_list(),
    }
    assert shapes == {"one": [None], "list": [None, None], "vector": [None, 4]}


def test_a_list_of_bools_has_no_value_left_for_padding() -> None:
    with pytest.raises(ValueError, match="'x' is a list of bool, which can't be padded. Use int64"):
        tensor_spec(ColumnSchema("x", dtype="bool", is_list=True))
