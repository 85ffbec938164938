"""Rows of sparse gradients against NumPy."""

import numpy as np
import tensorflow as tf

from tests.optimizers.sparse_gradients import ROWS, WIDTH, dense, sparse
from tfdual.optimizers.sparse_rows import nonzero_rows, on_summed_rows, sum_rows


def test_each_row_stands_once_with_its_repeats_summed() -> None:
    gradient = sparse([4, 1, 4, 4], seed=0)
    summed = sum_rows(gradient)
    assert summed.indices.numpy().tolist() == [4, 1]
    np.testing.assert_allclose(summed.values, dense(gradient).numpy()[[4, 1]], rtol=1e-6)


def test_sum_of_no_rows_is_no_rows() -> None:
    assert sum_rows(sparse([], seed=0)).values.shape == (0, WIDTH)


def test_rows_that_hold_one_number_are_found_in_a_dense_gradient() -> None:
    gradient = np.zeros((ROWS, WIDTH), "float32")
    gradient[1, 2], gradient[4, 0], gradient[5, 1] = 1.0, -2.0, np.nan
    found = nonzero_rows(tf.constant(gradient))
    assert found.indices.numpy().tolist() == [1, 4, 5]
    np.testing.assert_array_equal(found.values, gradient[[1, 4, 5]])
    assert tuple(found.dense_shape) == (ROWS, WIDTH)


def test_function_sees_values_of_summed_rows_and_sparse_gradients_stay_sparse() -> None:
    seen: list = []

    def double(values: list) -> list:
        seen.extend(values)
        return [None if value is None else 2 * value for value in values]

    gradient = sparse([4, 1, 4], seed=0)
    table, bias, missing = on_summed_rows(double, [gradient, tf.constant([3.0]), None])
    assert [None if value is None else value.shape[0] for value in seen] == [2, 1, None]
    np.testing.assert_allclose(dense(table), 2 * dense(gradient).numpy(), rtol=1e-6)
    assert bias.numpy().tolist() == [6.0]
    assert missing is None
