"""Numbers to zero mean and unit variance."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tfdual.preprocessing import Standardize
from tfdual.schema import ColumnSchema

AGE = ColumnSchema("age", dtype="float64")


def fitted(*batches: np.ndarray) -> Standardize:
    transform = Standardize()
    for batch in batches:
        transform.update(AGE, pa.array(batch))
    transform.finish()
    return transform


def test_a_hand_worked_case() -> None:
    transform = fitted(np.array([2.0, 4.0, 4.0, 4.0]), np.array([5.0, 5.0, 7.0, 9.0]))
    assert (transform.mean, transform.standard_deviation) == (5.0, 2.0)
    assert transform(AGE, tf.constant([5.0, 9.0, 1.0])).numpy().tolist() == [0.0, 2.0, -2.0]


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_moments_over_many_batches_are_those_of_all_values(offset: float) -> None:
    rng = np.random.default_rng(0)
    values = offset + rng.gamma(2.0, 3.0, 10_000)
    transform = fitted(*np.split(values, np.sort(rng.integers(0, 10_000, 40))))
    assert transform.mean == pytest.approx(values.mean(), rel=1e-12)
    assert transform.standard_deviation == pytest.approx(values.std(), rel=1e-6)


def test_missing_values_are_left_out_and_become_the_mean() -> None:
    transform = fitted(np.array([1.0, np.nan, 3.0]), np.array([np.nan]))
    assert (transform.mean, transform.standard_deviation) == (2.0, 1.0)
    assert transform(AGE, tf.constant([np.nan, 3.0])).numpy().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9, 1 / 3])
def test_a_constant_column_becomes_zero_and_its_deviation_one(value: float) -> None:
    transform = fitted(*(np.full(n, value) for n in (3, 7, 1000, 13)))
    assert transform.standard_deviation == 1.0
    np.testing.assert_allclose(
        transform(AGE, tf.constant([value, value + 64], tf.float64)).numpy(), [0.0, 64.0], atol=1e-5
    )


def test_a_small_spread_is_not_taken_for_a_constant() -> None:
    assert fitted(np.array([1.0, 1.0 + 1e-9])).standard_deviation == pytest.approx(5e-10, rel=1e-5)


def test_a_column_without_any_value_becomes_zero() -> None:
    assert fitted(np.array([np.nan]))(AGE, tf.constant([np.nan, 0.0])).numpy().tolist() == [0.0, 0.0]


def test_integers_and_bools_become_float32() -> None:
    transform = fitted(np.array([0, 4]))
    assert transform(AGE, tf.constant([6, 2])).numpy().tolist() == [2.0, 0.0]
    assert transform.output(ColumnSchema("n", ["user"])) == ColumnSchema("n", ["user"], dtype="float32")
    assert transform(AGE, tf.constant([True])).dtype == tf.float32


def test_an_infinite_value_is_refused() -> None:
    with pytest.raises(ValueError, match="Column 'age' holds infinite values"):
        fitted(np.array([1.0, -np.inf]))
