import math

import numpy as np
import pytest
import tensorflow as tf

from tfdual.features import PeriodicEncoder

NUMBERS = np.array([[-3.0], [0.0], [0.25], [1000.5]], "float32")


@pytest.mark.parametrize("activation", ["relu", None])
@pytest.mark.parametrize("dim", [None, 5])
def test_output_is_the_papers_formula(dim: int | None, activation: str | None) -> None:
    layer = PeriodicEncoder(dim, num_frequencies=6, sigma=0.5, activation=activation)
    found = layer(NUMBERS)
    frequencies, *linear = (weight.numpy() for weight in layer.weights)
    for row, (x,) in enumerate(NUMBERS):
        angles = [2 * math.pi * c * x for c in frequencies.tolist()]
        wanted = np.array([math.sin(v) for v in angles] + [math.cos(v) for v in angles])
        if dim is not None:
            wanted = wanted @ linear[0] + linear[1]
            wanted = np.maximum(wanted, 0) if activation else wanted
        np.testing.assert_allclose(found[row], wanted, rtol=1e-3, atol=1e-3)


def test_frequencies_are_normal_with_deviation_sigma_and_follow_the_seed() -> None:
    made = [PeriodicEncoder(num_frequencies=20_000, sigma=0.3, seed=seed) for seed in (1, 1, 2)]
    for layer in made:
        layer.build((None, 1))
    values = [layer.frequencies.numpy() for layer in made]
    assert abs(values[0].std() - 0.3) < 0.01
    assert abs(values[0].mean()) < 0.01
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.allclose(values[0], values[2])


def test_waves_are_computed_in_float32_under_mixed_precision() -> None:
    exact = PeriodicEncoder(num_frequencies=6, sigma=1.0, seed=0)
    rough = PeriodicEncoder(num_frequencies=6, sigma=1.0, seed=0, dtype="mixed_float16")
    assert rough(NUMBERS).dtype == tf.float16
    np.testing.assert_allclose(rough(NUMBERS), exact(NUMBERS), atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "num_frequencies and dim are at least 1. Received 48 and 0"),
        ({"num_frequencies": 0}, "num_frequencies and dim are at least 1. Received 0 and None"),
        ({"sigma": 0.0}, "sigma is above 0. Received 0.0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PeriodicEncoder(**arguments)


def test_more_than_one_number_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="takes one number a row"):
        PeriodicEncoder()(np.ones((2, 3)))
