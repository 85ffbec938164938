"""Intervals and tests against formulas that hold for them, and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from tfdual.metrics import bootstrap_interval, paired_test


def test_the_interval_is_that_of_the_normal_law_for_many_queries() -> None:
    values = np.random.default_rng(0).exponential(size=4000)
    error = values.std(ddof=1) / np.sqrt(len(values))
    low, high = bootstrap_interval(values, samples=4000)
    np.testing.assert_allclose([low, high], values.mean() + error * np.array([-1.96, 1.96]), atol=0.15 * error)


def test_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).random(60) ** 3
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, confidence_level=0.9)
    ours = bootstrap_interval(values, level=0.9, samples=20_000)
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.003)


def test_19_of_20_intervals_hold_the_mean() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        low, high = bootstrap_interval((rng.random(150) < 0.3).astype(float), samples=300, seed=seed)
        held += low <= 0.3 <= high
    assert 178 <= held <= 199


def test_one_set_of_resamples_serves_every_metric() -> None:
    values = np.random.default_rng(3).random((50, 3))
    together = bootstrap_interval(values, samples=100)
    assert together.shape == (2, 3)
    np.testing.assert_allclose(together[:, 1], bootstrap_interval(values[:, 1], samples=100))


def test_the_seed_makes_it_repeatable() -> None:
    values = np.random.default_rng(4).random(30)
    assert bootstrap_interval(values, seed=5).tolist() == bootstrap_interval(values, seed=5).tolist()
    assert bootstrap_interval(values, seed=5).tolist() != bootstrap_interval(values, seed=6).tolist()


def test_resamples_in_chunks_are_as_many_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).random(40)
    whole = bootstrap_interval(values, samples=2000)
    monkeypatch.setattr("tfdual.metrics.significance.CELLS", 120)
    np.testing.assert_allclose(bootstrap_interval(values, samples=2000), whole, atol=0.01)


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"level": 1.0}, {"values": np.zeros(0)}])
def test_what_has_no_interval_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="needs values, samples >= 1 and a level"):
        bootstrap_interval(**{"values": np.ones(3), **wrong})


def test_the_p_value_is_that_of_all_sign_flips() -> None:
    first, second = np.random.default_rng(6).random((2, 10))
    differences = first - second
    signs = np.array([[1 if number >> i & 1 else -1 for i in range(10)] for number in range(1024)])
    exact = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert paired_test(first, second).p_value == pytest.approx(exact, abs=0.015)


def test_the_p_value_is_that_of_scipys_permutation_test() -> None:
    rng = np.random.default_rng(7)
    first = rng.random(80)
    second = first + rng.normal(0.02, 0.1, 80)
    theirs = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=20_000
    )
    assert paired_test(first, second, samples=20_000).p_value == pytest.approx(theirs.pvalue, abs=0.02)


def test_the_difference_is_first_minus_second_with_an_interval_around() -> None:
    test = paired_test(np.array([1.0, 0.0, 1.0, 1.0] * 50), np.array([0.0, 0.0, 1.0, 0.0] * 50))
    assert (test.first, test.second, test.difference) == (0.75, 0.25, 0.5)
    assert test.interval[0] < 0.5 < test.interval[1]
    assert test.p_value == pytest.approx(1 / 10_001)


def test_alike_systems_do_not_differ() -> None:
    values = np.random.default_rng(8).random(30)
    test = paired_test(values, values)
    assert (test.difference, test.interval, test.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_small_p_values_are_as_rare_as_they_say_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(9)
    p_values = [paired_test(*rng.random((2, 40)), samples=400).p_value for _ in range(200)]
    assert 1 <= sum(p < 0.05 for p in p_values) <= 22


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_p_value_of_rounded_tenths_is_that_of_the_integers(dtype: type) -> None:
    rng = np.random.default_rng(10)
    for queries in (12, 60):
        first, second = rng.integers(0, 11, (2, queries))
        rounded = paired_test((first / 10).astype(dtype), (second / 10).astype(dtype), samples=2000)
        assert rounded.p_value == paired_test(first, second, samples=2000).p_value


def test_hits_may_be_bool() -> None:
    first, second = np.random.default_rng(11).random((2, 40)) < 0.5
    assert paired_test(first, second) == paired_test(first.astype(float), second.astype(float))


@pytest.mark.parametrize("second", [np.zeros(2), np.zeros((3, 1))])
def test_queries_that_differ_in_number_are_refused(second: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"needs two arrays of one value a query.*Received shapes \(3,\)"):
        paired_test(np.zeros(3), second)
