"""Scaling, bounds, missing values and buckets of numbers, worked out by hand and compared with Keras's layers."""

import copy
import math
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.preprocessing.fitting import fitted
from tfdual.preprocessing import (
    Buckets,
    Chain,
    Clip,
    FillMissing,
    Log1p,
    MinMax,
    Passthrough,
    QuantileBuckets,
    Standardize,
    Transform,
)
from tfdual.preprocessing.arrow_values import to_tensor
from tfdual.preprocessing.quantile_sketch import QuantileSketch
from tfdual.schema import ColumnSchema, Kind, Tags

FLOAT = ColumnSchema("x", dtype="float32")
DOUBLE = ColumnSchema("x", dtype="float64")
WORD = ColumnSchema("x", [Tags.CATEGORICAL], {"nullable": True}, dtype="string")
CODE = ColumnSchema("x", [Tags.CATEGORICAL], {"nullable": True})
COUNT = ColumnSchema("x", properties={"nullable": True})


def run(transform: Transform, column: ColumnSchema, values: list) -> list:
    return transform(column, tf.constant(values, column.dtype)).numpy().tolist()


def test_min_max_is_0_to_1_and_keeps_to_it() -> None:
    transform = fitted(MinMax(), FLOAT, [2.0, None], [6.0, 4.0])
    assert run(transform, FLOAT, [2.0, 4.0, 6.0, 1.0, 9.0, math.nan]) == [0, 0.5, 1, 0, 1, 0]
    beyond = fitted(MinMax(clip=False), FLOAT, [2.0, 6.0])
    assert run(beyond, FLOAT, [0.0, 10.0]) == [-0.5, 2]


@pytest.mark.parametrize("seen", [[], [5.0], [5.0, 5.0], [None]])
def test_min_max_of_one_value_or_none_is_0(seen: list) -> None:
    transform = fitted(MinMax(), FLOAT, pa.array(seen, pa.float32()))
    assert run(transform, FLOAT, [5.0] if seen and seen[0] else [0.0]) == [0]


def test_large_numbers_keep_their_digits_through_a_chain() -> None:
    chain = fitted(Chain([Clip(low=0), Standardize()]), DOUBLE, [1.7e9, 1.7e9 + 2])
    assert run(chain, DOUBLE, [1.7e9, 1.7e9 + 1, 1.7e9 + 2]) == [-1, 0, 1]
    keras_layer = keras.layers.Normalization(mean=1.7e9 + 1, variance=1.0)
    assert np.ptp(keras_layer(tf.constant([1.7e9, 1.7e9 + 2], tf.float64))) in (0, 128), "why Keras's is not used"


def test_standardize_is_keras_normalization_where_float32_suffices() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1000).astype(np.float32)
    layer = keras.layers.Normalization(axis=None)
    layer.adapt(values)
    found = fitted(Standardize(), FLOAT, values)(FLOAT, tf.constant(values))
    np.testing.assert_allclose(found, layer(values), rtol=1e-4, atol=1e-5)


def test_clip_and_log_leave_the_missing_missing() -> None:
    assert run(Clip(0, 10), FLOAT, [-1.0, 5.0, 11.0]) == [0, 5, 10]
    assert run(Clip(high=10), FLOAT, [-1.0, 11.0]) == [-1, 10]
    assert np.isnan(run(Clip(0, 10), FLOAT, [math.nan]))
    np.testing.assert_allclose(run(Log1p(), DOUBLE, [0.0, math.e - 1]), [0, 1])
    assert np.isnan(run(Log1p(), FLOAT, [-1.0, -2.0, math.nan])).all()
    assert run(Clip(0, 10), ColumnSchema("x"), [2**53 + 1]) == [10.0]
    late = 1_700_000_123.1
    assert run(Clip(0.1, late), DOUBLE, [0.0, late + 100.0]) == [0.1, late]


@pytest.mark.parametrize("arguments", [{}, {"low": 2, "high": 1}, {"low": math.nan, "high": 1}])
def test_bounds_that_make_no_sense_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Clip needs"):
        Clip(**arguments)


def test_missing_values_are_filled_and_told() -> None:
    assert run(FillMissing(7), FLOAT, [math.nan, 1.0]) == [7, 1]
    assert run(FillMissing("none"), WORD, ["", "a"]) == [b"none", b"a"]
    late = 1_700_000_123.1
    assert run(FillMissing(late), DOUBLE, [math.nan, 1e39]) == [late, 1e39]
    assert run(FillMissing(1e39), DOUBLE, [math.nan, 1.0]) == [1e39, 1.0]
    assert run(FillMissing(9), CODE, [-1, 3]) == [9, 3]
    assert run(FillMissing(9), ColumnSchema("x", [Tags.CATEGORICAL]), [-1, 3]) == [-1, 3]
    mean = fitted(FillMissing("mean", indicator=True), FLOAT, [1.0, None], [3.0, float("nan")])
    ready = mean.apply(FLOAT, tf.constant([math.nan, 5.0]))
    assert {name: values.numpy().tolist() for name, values in ready.items()} == {"x": [2, 5], "x_missing": [1, 0]}
    assert [column.name for column in mean.outputs(FLOAT)] == ["x", "x_missing"]
    assert "nullable" not in FillMissing(9).output(CODE).properties


@pytest.mark.parametrize(
    ("value", "column", "message"),
    [
        ("a", FLOAT, "takes a column of the type of its value 'a'"),
        (1, WORD, "takes a column of the type of its value 1"),
        (0.5, CODE, "takes floats for the value 0.5"),
        ("mean", CODE, "takes floats for the mean"),
        (0, ColumnSchema("x", is_list=True), "takes one value a row"),
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, column: ColumnSchema, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        FillMissing(value).output(column)
    with pytest.raises(ValueError, match="changes nothing"):
        FillMissing(None)


def test_fixed_buckets_are_those_of_numpy_and_keras() -> None:
    values = np.random.default_rng(0).normal(0, 3, 1000).astype(np.float32)
    found = np.array(run(Buckets([-1, 0.5, 2]), FLOAT, values.tolist()))
    np.testing.assert_array_equal(found, np.digitize(values, [-1, 0.5, 2]) + 1)
    np.testing.assert_array_equal(found, keras.layers.Discretization([-1, 0.5, 2])(values) + 1)
    assert run(Buckets([1.0]), FLOAT, [1.0, np.nextafter(np.float32(1), 0), math.nan, math.inf]) == [2, 1, 0, 2]
    assert run(Buckets([2**53 + 2]), ColumnSchema("x"), [2**53, 2**53 + 2]) == [1, 2]
    column = Buckets([1.0]).output(ColumnSchema("x", [Tags.CONTINUOUS], dtype="float32"))
    assert (column.kind, column.cardinality, column.dtype) == (Kind.CATEGORICAL, 3, "int64")


@pytest.mark.parametrize("boundaries", [[], [1, 1], [2, 1], [1, math.nan]])
def test_boundaries_must_ascend(boundaries: list[float]) -> None:
    with pytest.raises(ValueError, match="boundaries that ascend"):
        Buckets(boundaries)


def test_quantile_buckets_hold_equally_many_rows() -> None:
    values = np.random.default_rng(0).gamma(1, 9, 1000)
    transform = fitted(QuantileBuckets(8), DOUBLE, *np.split(values, 10))
    assert np.bincount(run(transform, DOUBLE, values.tolist())).tolist() == [0, *[125] * 8]
    assert run(fitted(QuantileBuckets(4), DOUBLE, pa.array([], pa.float64())), DOUBLE, [3.0, math.nan]) == [1, 0]
    with pytest.raises(ValueError, match="at least 2 buckets. Received 1"):
        QuantileBuckets(1)


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "few values"])
def test_the_sketch_keeps_its_bound_and_its_memory(order: str) -> None:
    rng = np.random.default_rng(0)
    n, size = 1_000_000, 1024
    values = rng.lognormal(0, 3, n)
    if order == "few values":
        values = np.floor(values)
    elif order != "random":
        values = np.sort(values)[:: 1 if order == "ascending" else -1]
    sketch = QuantileSketch(size)
    for batch in np.array_split(values, 700):
        sketch.add(batch)
    fractions = np.arange(1, 100) / 100
    found = sketch.quantiles(fractions)
    ordered = np.sort(values)
    below, upto = np.searchsorted(ordered, found, "left") / n, np.searchsorted(ordered, found, "right") / n
    error = np.maximum(np.maximum(below - fractions, fractions - upto), 0).max()
    bound = (1 + math.log2(n / size)) / size
    assert error <= bound / 4, "the bound of the docstring, which the coin stays far below"
    assert sum(map(len, sketch.levels)) <= size * (2 + math.log2(n / size))


@pytest.mark.parametrize("dtype", ["int64", "int32", "float64"])
@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (Buckets([10]), [1, 0, 2]),
        (QuantileBuckets(2), [1, 0, 2]),
        (Standardize(), [-1, 0, 1]),
        (MinMax(), [0, 0, 1]),
        (Clip(0, 15), [5, math.nan, 15]),
        (Clip(-9, 15), [5, math.nan, 15]),
        (Log1p(), [math.log(6), math.nan, math.log(21)]),
        (Chain([Clip(-9, 99), FillMissing(7)]), [5, 7, 20]),
        (Chain([FillMissing(7), Standardize()]), [-0.85213, -0.55138, 1.40351]),
        (Chain([FillMissing(None, indicator=True), MinMax()]), [0, 0, 1]),
    ],
    ids=repr,
)
def test_a_missing_integer_is_missing_as_a_missing_float_is(transform: Transform, expected: list, dtype: str) -> None:
    transform = copy.deepcopy(transform)
    column = ColumnSchema("x", [Tags.CATEGORICAL] if dtype != "float64" else [], {"nullable": True}, dtype)
    rows = pa.array([5, None, 20], dtype if dtype != "float64" else pa.float64())
    found = fitted(transform, column, rows)(column, to_tensor(column, rows))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_missing_number_that_is_ready_is_nan() -> None:
    assert np.isnan(run(Passthrough(), COUNT, [-1]))
    assert run(Passthrough(), CODE, [-1, 3]) == [-1, 3], "ids, which no float holds"


@pytest.mark.parametrize("dtype", ["int64", "int32", "float64"])
def test_minus_one_is_a_number_where_nothing_may_be_missing(dtype: str) -> None:
    column = ColumnSchema("x", dtype=dtype)
    rows = pa.array([-1, 3], dtype if dtype != "float64" else pa.float64())
    for transform, expected in (
        (Buckets([0]), [1, 2]),
        (QuantileBuckets(2), [1, 2]),
        (Standardize(), [-1, 1]),
        (MinMax(), [0, 1]),
        (Clip(-2, 2), [-1, 2]),
        (Passthrough(), [-1, 3]),
    ):
        assert fitted(transform, column, rows)(column, to_tensor(column, rows)).numpy().tolist() == expected


@pytest.mark.parametrize(
    "transform", [Standardize(), MinMax(), Clip(0, 1), Log1p(), Buckets([1]), QuantileBuckets()], ids=repr
)
def test_strings_and_lists_are_no_numbers(transform: Transform) -> None:
    for column in (WORD, ColumnSchema("x", dtype="float32", is_list=True)):
        with pytest.raises(TypeError, match=f"{type(transform).__name__} takes a single number a row. Column 'x' is"):
            transform.output(column)
