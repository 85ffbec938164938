"""LazyFtrl against the paper's algorithm 1, number by number."""

import math

import keras
import numpy as np
import pytest

from tests.optimizers.sparse_gradients import ROWS, WIDTH, after, dense, slots, sparse, table
from tfdual.optimizers import LazyFtrl

ALPHA, BETA, L1, L2 = 0.5, 0.3, 0.4, 0.2


def test_rows_of_a_sparse_gradient_follow_the_paper_with_repeats_summed() -> None:
    values = table().numpy().astype("float64")
    squares, linear = np.full((ROWS, WIDTH), 0.1), np.zeros((ROWS, WIDTH))
    batches = [[1, 1, 4], [4, 0, 4, 4], [1, 2]]
    for step, rows in enumerate(batches):
        gradient = dense(sparse(rows, seed=step)).numpy()
        for place in ((row, column) for row in set(rows) for column in range(WIDTH)):
            g, n = float(gradient[place]), squares[place]
            linear[place] += g - (math.sqrt(n + g * g) - math.sqrt(n)) / ALPHA * values[place]
            squares[place] = n + g * g
            z = linear[place]
            step_size = 1 / ((BETA + math.sqrt(squares[place])) / ALPHA + L2)
            values[place] = 0.0 if abs(z) <= L1 else -step_size * (z - math.copysign(L1, z))
    # Keras's l2 is half of the paper's lambda_2.
    optimizer = LazyFtrl(ALPHA, l1_regularization_strength=L1, l2_regularization_strength=L2 / 2, beta=BETA)
    found = after(optimizer, [sparse(rows, seed=step) for step, rows in enumerate(batches)])
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slots(optimizer)["accumulator"], squares, rtol=1e-5)
    np.testing.assert_allclose(slots(optimizer)["linear"], linear, rtol=1e-5, atol=1e-6)
    assert (found[[0, 1, 2, 4]] == 0).any()
    assert (found[[0, 1, 2, 4]] != 0).any()


def test_defaults_are_those_of_keras_ftrl() -> None:
    gradients = [dense(sparse([0, 2, 2], seed)) for seed in range(5)]
    np.testing.assert_allclose(after(LazyFtrl(), gradients), after(keras.optimizers.Ftrl(), gradients), rtol=1e-5)


@pytest.mark.parametrize("l1", [0.0, L1])
def test_value_stays_until_a_gradient_is_not_zero(l1: float) -> None:
    optimizer = LazyFtrl(ALPHA, initial_accumulator_value=0.0, l1_regularization_strength=l1)
    variable = table()
    gradient = np.zeros((ROWS, WIDTH), "float32")
    gradient[2, 1] = 2.0
    wanted = variable.numpy()
    z = 2.0 - 2.0 / ALPHA * wanted[2, 1]
    wanted[2, 1] = 0.0 if abs(z) <= l1 else -(z - math.copysign(l1, z)) / (2.0 / ALPHA)
    optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"learning_rate_power": 0.5}, "learning_rate_power must be 0 or less. Received 0.5"),
        ({"l1_regularization_strength": -1.0}, "Received {'l1_regularization_strength': -1.0}"),
        ({"initial_accumulator_value": -0.1}, "Received {'initial_accumulator_value': -0.1}"),
    ],
)
def test_value_out_of_its_range_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LazyFtrl(**arguments)
