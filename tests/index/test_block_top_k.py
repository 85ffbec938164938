"""The best columns by way of block maxima, against NumPy's stable sort."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual.index import _block_top_k
from tfdual.index._block_top_k import WIDTH, block_top_k


@pytest.fixture(autouse=True)
def few_scores_go_through_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_block_top_k, "FEW_BLOCKS", 0)
    monkeypatch.setattr(_block_top_k, "FEW_SCORES", 0)


def check(scores: np.ndarray, k: int) -> None:
    """Of equal scores the lower column comes first; no column of the padding is ever returned."""
    size = scores.shape[1]
    padded = np.pad(scores.astype(np.float32), [(0, 0), (0, -size % WIDTH)], mode="edge")
    best, columns = block_top_k(tf.constant(padded), tf.constant(k), size)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(columns, order)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, order, axis=1).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    blocks=st.integers(0, 12),
    more=st.integers(-2, 2),
    rows=st.integers(1, 4),
    levels=st.sampled_from([1, 2, 5, 50, 1_000_000]),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 1_000),
)
def test_any_size_of_any_scores_gives_the_stable_order(
    blocks: int, more: int, rows: int, levels: int, share: float, seed: int
) -> None:
    size = max(1, blocks * WIDTH + more)
    scores = np.random.default_rng(seed).integers(-levels, levels, size=(rows, size))
    check(scores, max(1, round(share * size)))


@pytest.mark.parametrize("k", [1, 2, 7, 40])
@pytest.mark.parametrize("size", [80 * WIDTH, 80 * WIDTH + 1, 81 * WIDTH - 1])
def test_distinct_scores_in_any_order_of_the_columns(size: int, k: int) -> None:
    ascending = np.arange(size)
    shuffled = np.random.default_rng(0).permutation(size)
    best_together = np.roll(-ascending, size // 3)
    check(np.stack([ascending, -ascending, shuffled, best_together, ascending % WIDTH * size + ascending]), k)


def test_the_best_column_may_be_the_last_of_a_block_that_is_not_full() -> None:
    scores = np.zeros((2, 20 * WIDTH + 3))
    scores[0, -1] = 5
    scores[1, -2:] = -5
    check(scores, 3)


def test_rows_of_equal_scores_among_rows_of_distinct_ones() -> None:
    scores = np.random.default_rng(0).permutation(100 * WIDTH).reshape(1, -1).repeat(3, axis=0)
    scores[1] = 0
    check(scores, 9)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_minus_infinity_is_a_score_as_any_other(share: float) -> None:
    rng = np.random.default_rng(0)
    scores = rng.permutation(30 * WIDTH + 5).reshape(1, -1).astype(np.float64)
    scores[0, rng.random(scores.shape[1]) < share] = -np.inf
    for k in (3, 14, 300):
        check(scores, k)


def test_a_row_of_nan_gives_the_first_columns_and_leaves_other_rows_alone() -> None:
    scores = np.random.default_rng(0).permutation(3 * 64 * WIDTH).reshape(3, -1).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    scores[1] = np.nan
    best, columns = block_top_k(tf.constant(scores), tf.constant(5), scores.shape[1])
    np.testing.assert_array_equal(columns.numpy()[[0, 2]], expected[[0, 2]])
    np.testing.assert_array_equal(columns.numpy()[1], np.arange(5))
    assert np.isnan(best.numpy()[1]).all()


def test_no_column_is_asked_for() -> None:
    best, columns = block_top_k(tf.zeros([2, 64 * WIDTH]), tf.constant(0), 64 * WIDTH)
    assert best.shape == columns.shape == (2, 0)
