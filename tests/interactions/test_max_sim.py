"""Sums of best matches: by loops over tokens, in any blocks, with gradients."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfdual.interactions import max_sim
from tfdual.interactions.max_sim import MaxSim


def texts(count: int, longest: int, dim: int = 5, seed: int = 0, least: int = 1) -> np.ndarray:
    """Vectors of tokens, with zeros behind those of shorter texts."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, longest, dim)).astype("float32")
    for row, length in enumerate(rng.integers(least, longest + 1, count)):
        vectors[row, length:] = 0
    return vectors


def by_hand(queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """By loops over all tokens, in float64."""
    scores = np.zeros((len(queries), len(items)))
    for i, query in enumerate(queries):
        for j, item in enumerate(items):
            for token in query[query.any(axis=1)]:
                products = [float(token.astype("float64") @ other) for other in item if other.any()]
                scores[i, j] += max(products, default=-np.inf)
    return scores


QUERIES, ITEMS = texts(4, 6, seed=1), texts(9, 7, seed=2)


def test_scores_are_those_of_loops_over_tokens() -> None:
    np.testing.assert_allclose(MaxSim().among(QUERIES, ITEMS), by_hand(QUERIES, ITEMS), rtol=1e-5)


def test_padding_is_never_the_best_match() -> None:
    item = -np.abs(ITEMS)
    query = np.abs(QUERIES)
    found = MaxSim().among(query, item).numpy()
    assert (found < 0).all()
    np.testing.assert_allclose(found, by_hand(query, item), rtol=1e-5)
    longer = np.pad(item, [(0, 0), (3, 4), (0, 0)])  # wherever it stands
    np.testing.assert_allclose(MaxSim().among(np.pad(query, [(0, 0), (1, 2), (0, 0)]), longer), found, rtol=1e-5)


def test_a_product_of_zero_is_a_match_like_others() -> None:
    query = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")
    items = np.array([[[0.0, 2.0], [0.0, 0.0]], [[0.0, -2.0], [-1.0, 0.0]]], "float32")
    assert MaxSim().among(query, items).numpy().tolist() == [[2.0, 0.0]]


def test_an_item_without_a_token_scores_minus_infinity_and_a_query_without_one_0() -> None:
    items = np.concatenate([ITEMS[:2], np.zeros_like(ITEMS[:1])])
    queries = np.concatenate([QUERIES[:1], np.zeros_like(QUERIES[:1])])
    found = MaxSim().among(queries, items).numpy()
    assert found[0, 2] == -np.inf
    assert np.isfinite(found[0, :2]).all()
    assert found[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(MaxSim().each(queries, np.stack([items, items])), found, rtol=1e-5)


@pytest.mark.parametrize("products", [1, 4 * 6 * 7 * 2, 4 * 6 * 7 * 4, 4 * 6 * 7 * 8])
@pytest.mark.parametrize("traced", [False, True])
def test_blocks_of_items_change_nothing(products: int, traced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = gradients(QUERIES, ITEMS, traced)
    monkeypatch.setattr(max_sim, "PRODUCTS_AT_ONCE", products)
    for one, other in zip(gradients(QUERIES, ITEMS, traced), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def gradients(queries: np.ndarray, items: np.ndarray, traced: bool) -> list[np.ndarray]:
    """Scores, and the gradients of their sum with weights."""

    def step(queries: tf.Tensor, items: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([queries, items])
            scores = MaxSim().among(queries, items)
            weights = tf.reshape(tf.range(tf.size(scores), dtype=tf.float32), tf.shape(scores))
            loss = tf.reduce_sum(scores * tf.cos(weights))
        return [scores, *tape.gradient(loss, [queries, items])]

    if traced:
        step = tf.function(step, input_signature=[tf.TensorSpec([None, None, 5])] * 2)
    return [part.numpy() for part in step(tf.constant(queries), tf.constant(items))]


def test_a_gradient_goes_to_the_best_match_alone() -> None:
    scores, by_query, by_item = gradients(QUERIES, ITEMS, traced=False)
    weights = np.cos(np.arange(scores.size)).reshape(scores.shape)
    wanted_query, wanted_item = np.zeros_like(QUERIES), np.zeros_like(ITEMS)
    for i, query in enumerate(QUERIES):
        for j, item in enumerate(ITEMS):
            for row in np.flatnonzero(query.any(axis=1)):
                best = max(np.flatnonzero(item.any(axis=1)), key=lambda place: query[row] @ item[place])
                wanted_query[i, row] += weights[i, j] * item[best]
                wanted_item[j, best] += weights[i, j] * query[row]
    np.testing.assert_allclose(by_query, wanted_query, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(by_item, wanted_item, rtol=1e-4, atol=1e-5)


def test_equal_matches_share_the_gradient() -> None:
    query, items = np.ones((1, 1, 5), "float32"), np.ones((1, 2, 5), "float32")
    _, by_query, by_item = gradients(query, items, traced=False)
    assert by_query.tolist() == [[[1.0] * 5]]
    assert by_item.tolist() == [[[0.5] * 5] * 2]


def test_lists_of_their_own_are_scored_as_all_pairs() -> None:
    lists = np.stack([ITEMS[[0, 4, 8]], ITEMS[[1, 1, 2]], ITEMS[[3, 5, 7]], ITEMS[[6, 0, 2]]])
    wanted = by_hand(QUERIES, ITEMS)
    wanted = [wanted[0, [0, 4, 8]], wanted[1, [1, 1, 2]], wanted[2, [3, 5, 7]], wanted[3, [6, 0, 2]]]
    np.testing.assert_allclose(MaxSim().each(QUERIES, lists), wanted, rtol=1e-5)


def test_the_pooled_query_scores_items_of_one_vector() -> None:
    items = texts(5, 1)
    pooled = ops.convert_to_numpy(MaxSim().pooled(QUERIES))
    np.testing.assert_allclose(pooled @ items[:, 0].T, by_hand(QUERIES, items), rtol=1e-4)


def test_no_item_and_no_query_give_no_score() -> None:
    assert MaxSim().among(QUERIES, ITEMS[:0]).shape == (4, 0)
    assert MaxSim().among(QUERIES[:0], ITEMS).shape == (0, 9)


def test_half_precision_is_scored_in_float32() -> None:
    found = MaxSim().among(QUERIES.astype("float16"), ITEMS.astype("float16"))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, by_hand(QUERIES, ITEMS), atol=2e-2)
