"""The item's attention over codes, against loops over pairs that make the paper's vector."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual.interactions import PolyAttention

CHANCE = np.random.default_rng(0)
QUERIES = CHANCE.normal(size=(3, 5, 4)).astype("float32")
QUERIES[1, 3:] = 0  # three codes
ITEMS = CHANCE.normal(size=(6, 4)).astype("float32")


def scores_by_hand(queries: np.ndarray, items: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """`(queries, items)`, by the vector of each pair; codes of zeros are left out."""
    found = np.zeros((len(queries), len(items)))
    for row, codes in enumerate(queries.astype("float64")):
        codes = codes[np.any(codes != 0, axis=1)]
        for column, item in enumerate(items.astype("float64")):
            shares = np.exp(scale * np.array([code @ item for code in codes]))
            vector = sum((share / shares.sum() * code for share, code in zip(shares, codes, strict=True)), np.zeros(4))
            found[row, column] = vector @ item
    return found


@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_all_pairs_are_scored_by_the_vector_of_each_pair(scale: float) -> None:
    found = PolyAttention(scale).among(QUERIES, ITEMS)
    np.testing.assert_allclose(found, scores_by_hand(QUERIES, ITEMS, scale), atol=1e-5)


def test_lists_are_scored_as_all_pairs_are() -> None:
    lists = CHANCE.normal(size=(3, 2, 4)).astype("float32")
    wanted = [scores_by_hand(QUERIES[row : row + 1], lists[row])[0] for row in range(3)]
    np.testing.assert_allclose(PolyAttention().each(QUERIES, lists), wanted, atol=1e-5)


def test_codes_of_zeros_change_no_score_and_no_pooled_vector() -> None:
    filled = np.concatenate([QUERIES, np.zeros((3, 4, 4), "float32")], axis=1)
    attention = PolyAttention()
    np.testing.assert_allclose(attention.among(filled, ITEMS), attention.among(QUERIES, ITEMS), atol=1e-6)
    np.testing.assert_allclose(attention.pooled(filled)[1], QUERIES[1, :3].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(attention.pooled(filled)[0], QUERIES[0].mean(axis=0), atol=1e-6)


def test_a_code_that_all_items_point_away_from_still_counts_more_than_none() -> None:
    codes = np.array([[[-300.0, 0.0], [0.0, 0.0]]], "float32")
    assert PolyAttention().among(codes, np.array([[2.0, 0.0]], "float32")).numpy().tolist() == [[-600.0]]


def test_one_code_is_the_inner_product() -> None:
    np.testing.assert_allclose(PolyAttention(9.0).among(QUERIES[:, :1], ITEMS), QUERIES[:, 0] @ ITEMS.T, atol=1e-5)


def test_a_sharp_attention_is_the_best_code() -> None:
    best = np.einsum("qcd,nd->qcn", QUERIES[:1], ITEMS).max(axis=1)
    np.testing.assert_allclose(PolyAttention(1e4).among(QUERIES[:1], ITEMS), best, atol=1e-4)


def test_a_query_without_a_code_scores_zero_and_has_a_gradient_that_is_finite() -> None:
    queries, items = tf.Variable(np.zeros((1, 2, 4), "float32")), tf.Variable(ITEMS)
    with tf.GradientTape() as tape:
        scores = PolyAttention().among(queries, items)
        total = tf.reduce_sum(scores)
    assert scores.numpy().tolist() == [[0.0] * 6]
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(total, [queries, items]))


def test_the_gradient_is_that_of_small_steps() -> None:
    queries = tf.Variable(QUERIES)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(PolyAttention(2.0).among(queries, ITEMS) ** 2)
    gradient = tape.gradient(total, queries).numpy()

    def total_at(change: np.ndarray) -> float:
        return (scores_by_hand(QUERIES + change, ITEMS, 2.0) ** 2).sum()

    for place in ((0, 0, 1), (1, 2, 3), (2, 4, 0)):
        step = np.zeros(QUERIES.shape)
        step[place] = 1e-4
        assert gradient[place] == pytest.approx((total_at(step) - total_at(-step)) / 2e-4, rel=1e-3)
    assert np.abs(gradient[1, 3:]).max() == 0


def test_half_precision_is_scored_in_float32() -> None:
    found = PolyAttention().among(tf.cast(QUERIES, tf.float16), tf.cast(ITEMS, tf.float16))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, scores_by_hand(QUERIES, ITEMS), atol=2e-2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_products_of_half_precision_neither_overflow_nor_lose_digits(dtype: str) -> None:
    rows = tf.fill((1, 1, 64), tf.cast(40.0, dtype))  # 64 * 40^2 is above the largest float16
    assert PolyAttention().among(rows, rows[0]).numpy().tolist() == [[102_400.0]]
    assert PolyAttention().each(rows, rows).numpy().tolist() == [[102_400.0]]
    queries, items = tf.cast(QUERIES, dtype), tf.cast(ITEMS, dtype)
    wanted = scores_by_hand(tf.cast(queries, tf.float32).numpy(), tf.cast(items, tf.float32).numpy())
    np.testing.assert_allclose(PolyAttention().among(queries, items), wanted, atol=1e-5)
    lists = tf.tile(items[None], (3, 1, 1))
    np.testing.assert_allclose(PolyAttention().each(queries, lists), wanted, atol=1e-5)


def test_no_query_and_no_item_are_no_score() -> None:
    assert PolyAttention().among(QUERIES[:0], ITEMS).shape == (0, 6)
    assert PolyAttention().among(QUERIES, ITEMS[:0]).shape == (3, 0)
    assert PolyAttention().each(QUERIES, np.zeros((3, 0, 4), "float32")).shape == (3, 0)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_number_above_zero_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale of the attention is a number above 0. Received"):
        PolyAttention(scale)
