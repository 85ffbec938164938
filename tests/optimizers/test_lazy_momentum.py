"""LazyMomentum against its formula row by row in NumPy."""

import keras
import numpy as np
import pytest

from tests.optimizers.sparse_gradients import ROWS, WIDTH, after, dense, slots, sparse, table
from tfdual.optimizers import LazyMomentum


@pytest.mark.parametrize("nesterov", [False, True])
def test_rows_of_a_sparse_gradient_follow_the_formula_with_repeats_summed(nesterov: bool) -> None:
    values, momentum = table().numpy().astype("float64"), np.zeros((ROWS, WIDTH))
    batches = [[1, 1, 4], [4, 0, 4, 4], [1, 2]]
    for step, rows in enumerate(batches):
        gradient = dense(sparse(rows, seed=step)).numpy()
        for row in set(rows):
            momentum[row] = 0.7 * momentum[row] - 0.1 * gradient[row]
            values[row] += 0.7 * momentum[row] - 0.1 * gradient[row] if nesterov else momentum[row]
    optimizer = LazyMomentum(0.1, 0.7, nesterov)
    found = after(optimizer, [sparse(rows, seed=step) for step, rows in enumerate(batches)])
    np.testing.assert_allclose(found, values, rtol=1e-5)
    np.testing.assert_allclose(slots(optimizer)["momentum"], momentum, rtol=1e-5, atol=1e-7)


def test_no_momentum_is_plain_descent() -> None:
    gradients = [sparse([1, 4, 1], seed) for seed in range(3)]
    wanted = after(keras.optimizers.SGD(0.1), [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(after(LazyMomentum(0.1, momentum=0.0), gradients), wanted, rtol=1e-6)


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_out_of_its_range_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=f"under 1. Received momentum={momentum}"):
        LazyMomentum(0.1, momentum)
