"""What is shown, against hand-worked figures."""

import numpy as np
import pytest

from tfdual.metrics import average_popularity, coverage, novelty, popularity_bias

SHOWN = np.array([[0, 1], [0, 3], [0, -1]])
COUNTS = np.array([6, 3, 1, 0])


def test_coverage_is_the_share_of_items_in_any_list() -> None:
    assert coverage(np.array([3, 1, 0, 1])) == 0.75
    assert coverage(np.array([0, 0])) == 0.0


def test_novelty_is_the_mean_of_minus_log2_of_the_smoothed_share() -> None:
    bits = [-np.log2(share / 14) for share in (7, 4, 2, 1)]
    expected = [(bits[0] + bits[1]) / 2, (bits[0] + bits[3]) / 2, bits[0]]
    np.testing.assert_allclose(novelty(SHOWN, COUNTS), expected)


def test_an_item_that_nobody_has_seen_is_the_most_novel_and_finite() -> None:
    values = novelty(np.array([[0], [1], [2], [3]]), COUNTS)
    assert (np.diff(values) > 0).all()
    assert np.isfinite(values).all()


def test_popularity_is_the_mean_count_of_what_is_there() -> None:
    assert average_popularity(SHOWN, COUNTS).tolist() == [4.5, 3.0, 6.0]


def test_an_empty_list_is_neither_novel_nor_popular() -> None:
    assert novelty(np.array([[-1, -1]]), COUNTS).tolist() == [0.0]
    assert average_popularity(np.array([[-1, -1]]), COUNTS).tolist() == [0.0]


def test_bias_says_how_much_more_popular_the_shown_items_are() -> None:
    assert popularity_bias(np.array([4.0, 8.0]), np.array([2.0, 4.0])) == 1.0
    assert popularity_bias(np.array([3.0, 3.0]), np.array([2.0, 4.0])) == 0.0
    assert popularity_bias(np.array([1.0]), np.array([2.0])) == -0.5
    assert np.isnan(popularity_bias(np.array([1.0]), np.array([0.0])))


@pytest.mark.parametrize("seed", range(3))
def test_a_list_of_popular_items_is_less_novel_than_one_at_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.zipf(1.5, 200)
    popular = np.argsort(-counts)[:10][None]
    assert novelty(popular, counts) < novelty(rng.choice(200, (1, 10), replace=False), counts)
