"""Popularity: draws by counts to a power, expected counts, and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.negatives.toy import batch, corpus
from tfdual.negatives import Popularity

COUNTS = {1: 40.0, 2: 0.0, 3: 10.0, 4: 1.0, 5: 25.0, 6: 4.0}
SHARES = {
    0.0: np.full(6, 1 / 6),
    0.5: np.array([40**0.5, 0, 10**0.5, 1, 5, 2]) / (40**0.5 + 10**0.5 + 8),
    1.0: np.array([40, 0, 10, 1, 25, 4]) / 80,
}


@pytest.mark.parametrize("power", SHARES)
def test_items_are_drawn_by_counts_to_the_power(power: float) -> None:
    source = Popularity(30_000, power, seed=2).adapt(corpus(6, batch=4), COUNTS)
    drawn = np.bincount(source.draw(batch([1])).ids, minlength=7)[1:]
    possible = SHARES[power] > 0
    assert drawn[~possible].sum() == 0
    assert stats.chisquare(drawn[possible], 30_000 * SHARES[power][possible]).pvalue > 0.001


@pytest.mark.parametrize("power", SHARES)
def test_expected_counts_are_those_of_the_draws(power: float) -> None:
    source = Popularity(50, power).adapt(corpus(6, batch=4), COUNTS)
    found = np.exp(source.log_count(np.array([6, 5, 4, 3, 2, 1]), None, 9))
    np.testing.assert_allclose(found, 50 * SHARES[power][::-1], rtol=1e-5)


def test_an_unknown_item_is_never_expected() -> None:
    source = Popularity(50).adapt(corpus(6), COUNTS)
    assert source.log_count(np.array([0, 7, 2, -1]), None, 9).numpy().tolist() == [-np.inf] * 4


def test_counts_may_be_an_array_at_the_place_of_the_id() -> None:
    by_place = Popularity(7).adapt([{"item_id": np.array([5, 2])}], np.array([9, 9, 1, 9, 9, 3]))
    np.testing.assert_allclose(np.exp(by_place.log_count(np.array([2, 5]), None, 1)), [7 / 4, 21 / 4], rtol=1e-5)


@pytest.mark.parametrize("column", [None, "likely"])
def test_without_counts_the_log_probability_column_is_taken(column: str | None) -> None:
    items = corpus(3, **{column or "item_id_log_probability": np.log([0.1, 0.2, 0.1]).astype("float32")})
    source = Popularity(8).adapt(items, log_probability=column)
    np.testing.assert_allclose(np.exp(source.log_count(np.array([1, 2, 3]), None, 1)), [2, 4, 2], rtol=1e-5)


def test_graph_draws_what_eager_calls_do_and_the_new_items_once_adapted_again() -> None:
    source, eager = (Popularity(40, seed=3).adapt(corpus(6), COUNTS) for _ in range(2))
    graph = tf.function(lambda: source.draw(batch([1])).ids)
    assert graph().numpy().tolist() == eager.draw(batch([1])).ids.numpy().tolist()
    source.adapt(corpus(8), np.array([0, 0, 0, 0, 0, 0, 0, 1, 0]))
    assert set(graph().numpy()) == {7}


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_counts_that_are_no_counts_are_refused_and_named(wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"at least 0. Received \[{wrong}\] for the ids \[4\]. Correct them"):
        Popularity(5).adapt(corpus(6), COUNTS | {4: wrong})


@pytest.mark.parametrize("counts", [{1: 3, 3: 1}, np.array([0, 3]), {}], ids=["mapping", "array", "empty"])
def test_an_item_without_a_count_is_refused_and_named(counts: dict | np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Each item needs a count. . have none, such as the ids \[[12].*Give 0"):
        Popularity(5).adapt(corpus(3), counts)


def test_counts_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="All counts are 0"):
        Popularity(5).adapt(corpus(3), np.zeros(4))


def test_items_without_the_log_probability_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lack the column 'item_id_log_probability'.*or give counts"):
        Popularity(5).adapt(corpus(3))


def test_counts_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one number an id.*\(4, 1\)"):
        Popularity(5).adapt(corpus(3), np.ones((4, 1)))


@pytest.mark.parametrize("arguments", [{"count": 0}, {"count": 3, "power": -0.5}, {"count": 3, "power": np.nan}])
def test_arguments_out_of_range_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"at least 1. Received 0|power is 0 or more"):
        Popularity(**arguments)


def test_used_before_adapt_it_says_so() -> None:
    with pytest.raises(ValueError, match="Popularity knows no items yet"):
        Popularity(4).draw(batch([1]))
