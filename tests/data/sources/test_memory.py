"""Frames and arrays as pandas, polars and NumPy hold them."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tfdual import ColumnSchema, Schema, read

NULLABLE = {"nullable": True}


def values(source: Any, column: ColumnSchema) -> list[Any]:
    return read(source, Schema([column])).to_arrow()[column.name].to_pylist()


def test_missing_integers_of_pandas() -> None:
    ids = ColumnSchema("x", [], NULLABLE | {"domain": {"min": 0, "max": 9}}, dtype="float32")
    assert values(pd.DataFrame({"x": [1, None, 3]}), ids) == [1.0, None, 3.0]
    assert values(pd.DataFrame({"x": pd.array([1, None, 2**53 + 1], "Int64")}).dropna(), ColumnSchema("x")) == [
        1,
        2**53 + 1,
    ]
    with pytest.raises(TypeError, match="Column 'x' of The frame has the type double; the schema wants int64"):
        values(pd.DataFrame({"x": [1, None, 3]}), ColumnSchema("x"))


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", "é", None], dtype=object),
        pd.Series(["a", "é", None], dtype="category"),
        pd.Series(["a", "é", None], dtype="string"),
        pd.Series(["a", "é", np.nan], dtype=object),
        pl.Series(["a", "é", None]),
        pl.Series(["a", "é", None], dtype=pl.Categorical),
        pl.Series(["a", "é", None], dtype=pl.Enum(["é", "a"])),
    ],
)
def test_text_of_frames_is_text_however_it_is_held(series: Any) -> None:
    frame = (pl if isinstance(series, pl.Series) else pd).DataFrame({"x": series})
    assert values(frame, ColumnSchema("x", dtype="string", properties=NULLABLE)) == ["a", "é", None]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [[1, 2], [], [3]]}),
        pd.DataFrame({"x": [np.array([1, 2]), np.array([], np.int64), np.array([3])]}),
        pl.DataFrame({"x": [[1, 2], [], [3]]}),
        {"x": [[1, 2], [], [3]]},
        {"x": np.array([np.array([1, 2]), np.array([], np.int64), np.array([3])], dtype=object)},
    ],
)
def test_lists_of_frames_are_lists(frame: Any) -> None:
    assert values(frame, ColumnSchema("x", is_list=True)) == [[1, 2], [], [3]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_a_vector_a_row(dtype: type, order: Any) -> None:
    matrix = np.array([[0.5, 1], [2, 3], [4, 5]], dtype=dtype, order=order)
    assert values({"x": matrix}, ColumnSchema("x", dims=(None, 2), dtype="float32")) == [[0.5, 1], [2, 3], [4, 5]]
    assert values({"x": matrix[::2]}, ColumnSchema("x", dims=(None, 2), dtype="float32")) == [[0.5, 1], [4, 5]]
    frame = pl.DataFrame({"x": pl.Series(matrix.tolist(), dtype=pl.Array(pl.Float32, 2))})
    assert values(frame, ColumnSchema("x", dims=(None, 2), dtype="float32")) == [[0.5, 1], [2, 3], [4, 5]]


def test_times_are_seconds_since_1970() -> None:
    moment = datetime.datetime(2024, 5, 6, 12, 30)
    seconds = int(moment.replace(tzinfo=datetime.UTC).timestamp())
    arrays = {"x": np.array([moment], "datetime64[us]")}
    for source in (pd.DataFrame({"x": [moment]}), pl.DataFrame({"x": [moment]}), arrays):
        assert values(source, ColumnSchema("x")) == [seconds]


def test_frames_of_chunks_and_slices_give_their_own_rows() -> None:
    frame = pl.concat([pl.DataFrame({"x": [1, 2]}), pl.DataFrame({"x": [3]})], rechunk=False)
    assert values(frame, ColumnSchema("x")) == [1, 2, 3]
    assert values(frame.slice(1, 1), ColumnSchema("x")) == [2]
    assert values(pd.DataFrame({"x": [1, 2, 3]}, index=[5, 6, 7]).iloc[1:], ColumnSchema("x")) == [2, 3]
    assert values({"x": pa.chunked_array([[1], [2, 3]])}, ColumnSchema("x")) == [1, 2, 3]


def test_a_subclass_of_a_frame_is_a_frame() -> None:
    class Frame(pd.DataFrame):
        """As other packages make them."""

    assert values(Frame({"x": [1]}), ColumnSchema("x")) == [1]


def test_a_lazy_frame_is_to_be_collected() -> None:
    with pytest.raises(TypeError, match="Received LazyFrame"):
        read(pl.LazyFrame({"x": [1]}), Schema(["x"]))


@pytest.mark.parametrize("wrong", [5, "abc", {"a": 1}, [object()], [1, "a"], np.zeros((2, 2, 2)), [2**70]])
def test_what_is_no_column_of_a_dict_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"'x' of the dict is no column: .*Give an array or list a column"):
        read({"x": wrong}, Schema(["x"]))


def test_arrays_of_different_lengths_are_named() -> None:
    with pytest.raises(ValueError, match=r"must have one length. Received \{'x': 2, 'y': 1\}"):
        read({"x": [1, 2], "y": [1]}, Schema(["x"]))


def test_a_frame_with_a_column_of_mixed_types_is_named() -> None:
    with pytest.raises(ValueError, match="The frame has a column that mixes types: .*'?x"):
        read(pd.DataFrame({"x": [1, "a"]}), Schema(["x"]))


def test_two_columns_of_one_name_are_named() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(ValueError, match="(?i)duplicate|more than once"):
        read(frame, Schema(["x"]))


@pytest.mark.parametrize(
    "empty", [{}, {"x": []}, pd.DataFrame({"x": pd.Series([], dtype="int64")}), pl.DataFrame({"x": []})]
)
def test_no_rows_are_an_error(empty: Any) -> None:
    with pytest.raises(ValueError, match=r"has no rows|lacks the columns"):
        read(empty, Schema(["x"]))


def test_a_filter_keeps_the_rows_that_fit() -> None:
    assert read(pd.DataFrame({"x": [1, 2, 3]}), Schema(["x"]), filter=[("x", "!=", 2)]).take(9) == [{"x": 1}, {"x": 3}]


@pytest.mark.parametrize("filter", [[("y", "=", 1)], [("x", "=", "a")]])
def test_a_filter_that_fits_no_column_is_named(filter: Any) -> None:
    with pytest.raises(ValueError, match=r"The filter .* doesn't fit the columns {'x': 'int64'}: "):
        read({"x": [1]}, Schema(["x"]), filter=filter)
