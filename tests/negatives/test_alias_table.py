"""The alias table gives each outcome exactly its probability."""

import numpy as np
import pytest

from tfdual.negatives.alias_table import alias_table


def given(weights: np.ndarray) -> np.ndarray:
    """The probability of each outcome, by a loop over the places of the table."""
    accept, alias = alias_table(weights)
    found = np.zeros(len(weights))
    for place in range(len(weights)):
        found[place] += float(accept[place]) / len(weights)
        found[alias[place]] += (1 - float(accept[place])) / len(weights)
    return found


@pytest.mark.parametrize(
    "weights",
    [
        [1.0],
        [0.0, 2.0],
        [1.0, 1.0, 1.0],
        [0.1, 0.2, 0.3, 0.4],
        [0.0, 0.0, 5.0, 0.0],
        [1e-12, 1.0, 1e6],
        [2.0, 0.0, 4.0],
        [2.0, 3.0, 1.0],
        [10.0, 0.0, 10.0, 20.0],
        1 / np.arange(1, 1001),
        np.random.default_rng(0).permutation(1 / np.arange(1, 1001) ** 2),
        np.random.default_rng(1).exponential(size=997) * (np.random.default_rng(2).uniform(size=997) < 0.3),
    ],
    ids=range(12),
)
def test_every_outcome_has_its_probability(weights: list | np.ndarray) -> None:
    weights = np.asarray(weights, float)
    np.testing.assert_allclose(given(weights), weights / weights.sum(), rtol=1e-6, atol=1e-8)


def test_counts_of_which_many_are_the_mean_have_their_probabilities() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        weights = rng.integers(0, 4, rng.integers(2, 9)).astype(float)
        if weights.any():
            np.testing.assert_allclose(given(weights), weights / weights.sum(), atol=1e-6, err_msg=str(weights))


def test_an_outcome_of_weight_zero_never_comes() -> None:
    weights = np.random.default_rng(3).poisson(0.7, 5000).astype(float)
    found = given(weights)
    assert (found[weights == 0] == 0).all()
    assert (found[weights > 0] > 0).all()


def test_tables_are_small_types_inside_their_bounds() -> None:
    accept, alias = alias_table(np.random.default_rng(4).pareto(1, 10_000))
    assert (accept.dtype, alias.dtype) == (np.float32, np.int32)
    assert 0 <= accept.min() <= accept.max() <= 1
    assert 0 <= alias.min() <= alias.max() < 10_000
