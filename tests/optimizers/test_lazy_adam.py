"""LazyAdam against Adam's formulas row by row in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.optimizers.sparse_gradients import ROWS, WIDTH, after, dense, slots, sparse, table
from tfdual.optimizers import LazyAdam

SETTINGS = {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}


def test_defaults_are_those_of_keras_adam() -> None:
    gradients = [dense(sparse([0, 2, 2], seed)) for seed in range(5)]
    np.testing.assert_allclose(after(LazyAdam(), gradients), after(keras.optimizers.Adam(), gradients), rtol=1e-6)


@pytest.mark.parametrize("decay", [None, 0.1])
def test_rows_of_a_sparse_gradient_follow_the_formula_with_repeats_summed(decay: float | None) -> None:
    values, first, second = table().numpy().astype("float64"), np.zeros((ROWS, WIDTH)), np.zeros((ROWS, WIDTH))
    batches = [[1, 1, 4], [4, 0, 4, 4], [1, 2]]
    for step, rows in enumerate(batches, start=1):
        gradient = dense(sparse(rows, seed=step)).numpy()
        for row in set(rows):
            values[row] -= 0.05 * (decay or 0) * values[row]
            first[row] = 0.8 * first[row] + 0.2 * gradient[row]
            second[row] = 0.95 * second[row] + 0.05 * gradient[row] ** 2
            rate = 0.05 * np.sqrt(1 - 0.95**step) / (1 - 0.8**step)
            values[row] -= rate * first[row] / (np.sqrt(second[row]) + 1e-3)
    optimizer = LazyAdam(**SETTINGS, weight_decay=decay)
    found = after(optimizer, [sparse(rows, seed=step) for step, rows in enumerate(batches, start=1)])
    np.testing.assert_allclose(found, values, rtol=1e-5)
    np.testing.assert_allclose(slots(optimizer)["momentum"], first, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slots(optimizer)["velocity"], second, rtol=1e-5, atol=1e-7)


def test_every_row_in_the_batch_with_weight_decay_gives_keras_adamw() -> None:
    gradients = [sparse([5, 4, 3, 2, 1, 0, 3, 3], seed) for seed in range(5)]
    adamw = keras.optimizers.AdamW(**SETTINGS, weight_decay=0.2)
    wanted = after(adamw, [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(after(LazyAdam(**SETTINGS, weight_decay=0.2), gradients), wanted, rtol=1e-5)


@pytest.mark.parametrize("dtype, rtol", [("bfloat16", 0.03), ("float16", 0.004), ("float64", 1e-6)])
def test_variable_of_another_precision_moves_as_one_of_float32(dtype: str, rtol: float) -> None:
    moved = {}
    for kind in ("float32", dtype):
        variable, optimizer = keras.Variable(np.zeros((ROWS, WIDTH)), dtype=kind), LazyAdam(0.01, epsilon=1e-3)
        for seed in range(3):
            optimizer.apply([tf.cast(dense(sparse([0, 2, 2], seed)), kind)], [variable])
        moved[kind] = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float64"))
    assert (np.abs(moved["float32"][[0, 2]]) > 1e-3).all()
    np.testing.assert_allclose(moved[dtype], moved["float32"], rtol=rtol, atol=1e-4)


def test_learning_rate_schedule_is_followed() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.1, 0.01, 0.0])
    variable, optimizer = table(), LazyAdam(schedule)
    moves = []
    for _ in range(3):
        before = variable.numpy()
        optimizer.apply([tf.IndexedSlices(tf.ones((1, WIDTH)), tf.constant([2]), (ROWS, WIDTH))], [variable])
        moves.append(float(np.abs(variable.numpy() - before).max()))
    assert moves == pytest.approx([0.1, 0.01, 0.0], rel=1e-3)


def test_learning_rate_can_be_set_while_training() -> None:
    variable, optimizer = table(), LazyAdam(0.1)
    optimizer.apply([sparse([1], 0)], [variable])
    optimizer.learning_rate = 0.0
    before = variable.numpy()
    optimizer.apply([sparse([1], 1)], [variable])
    assert np.array_equal(variable.numpy(), before)
