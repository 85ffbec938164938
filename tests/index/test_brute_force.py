"""Exact search and exclusion, against NumPy."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfdual.index import BruteForce

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(300, 8)).astype(np.float32)
QUERIES = RNG.normal(size=(20, 8)).astype(np.float32)
ORDER = np.argsort(-(QUERIES @ ITEMS.T), axis=1)


@pytest.fixture(scope="module")
def index() -> BruteForce:
    return BruteForce().build(ITEMS)


@pytest.mark.parametrize("k", [1, 7, 300])
def test_the_best_items_come_best_first_with_their_inner_products(index: BruteForce, k: int) -> None:
    scores, positions = index.search(tf.constant(QUERIES), k)
    np.testing.assert_array_equal(positions, ORDER[:, :k])
    expected = [[float(np.dot(QUERIES[i], ITEMS[j])) for j in ORDER[i, :k]] for i in range(20)]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_k_above_the_corpus_gives_the_whole_corpus(index: BruteForce) -> None:
    _, positions = index.search(tf.constant(QUERIES), 1000)
    np.testing.assert_array_equal(positions, ORDER)


def test_k_may_be_a_tensor_of_a_traced_function(index: BruteForce) -> None:
    search = tf.function(
        lambda q, k: index.search(q, k)[1], input_signature=[tf.TensorSpec([None, 8]), tf.TensorSpec([], tf.int32)]
    )
    np.testing.assert_array_equal(search(QUERIES, 3), ORDER[:, :3])
    np.testing.assert_array_equal(search(QUERIES[:2], 9), ORDER[:2, :9])


def test_exclusion_removes_exactly_these_and_still_fills_k(index: BruteForce) -> None:
    exclude = np.full((20, 6), -1)
    for i in range(20):
        chosen = [ORDER[i, 0], ORDER[i, 2], ORDER[i, 299], ORDER[i, 2]][: i % 5]
        exclude[i, : len(chosen)] = chosen
    expected = [[j for j in ORDER[i] if j not in exclude[i]][:10] for i in range(20)]
    scores, positions = index.search(tf.constant(QUERIES), 10, tf.constant(exclude))
    np.testing.assert_array_equal(positions, expected)
    assert np.isfinite(scores).all()


def test_padding_alone_excludes_nothing(index: BruteForce) -> None:
    for exclude in (tf.fill([20, 3], -1), tf.zeros([20, 0], tf.int32)):
        np.testing.assert_array_equal(index.search(tf.constant(QUERIES), 5, exclude)[1], ORDER[:, :5])


def test_the_order_of_the_excluded_does_not_matter(index: BruteForce) -> None:
    exclude = np.concatenate([np.full((20, 1), -1), ORDER[:, [1, 0]], np.full((20, 1), -1)], axis=1)
    np.testing.assert_array_equal(index.search(tf.constant(QUERIES), 4, tf.constant(exclude))[1], ORDER[:, 2:6])


def test_places_that_cannot_be_filled_say_so() -> None:
    index = BruteForce().build(np.eye(4))
    scores, positions = index.search(tf.constant([[4.0, 3.0, 2.0, 1.0]]), 3, tf.constant([[0, 3, 1]]))
    assert positions.numpy().tolist() == [[2, -1, -1]]
    assert scores.numpy().tolist() == [[2.0, -np.inf, -np.inf]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_no_numbers_are_refused_by_row(value: float) -> None:
    embeddings = ITEMS.copy()
    embeddings[7, 3] = value
    with pytest.raises(ValueError, match="embedding of item 7 holds NaN or infinity"):
        BruteForce().build(embeddings)


@pytest.mark.parametrize("embeddings", [np.zeros((0, 4)), np.zeros((4, 0)), np.zeros(4), np.zeros((2, 2, 2))])
def test_embeddings_are_a_matrix_of_some_items(embeddings: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"needs embeddings of shape \(items, dim\). Received \("):
        BruteForce().build(embeddings)


def test_an_index_is_built_before_it_is_searched() -> None:
    with pytest.raises(ValueError, match=r"holds no item yet. Call `build\(embeddings\)` first"):
        BruteForce().search(tf.zeros([1, 8]), 1)


def test_it_describes_itself(index: BruteForce) -> None:
    expected: dict[str, Any] = {"kind": "BruteForce", "items": 300, "dim": 8}
    assert index.describe() == expected
    assert (index.size, index.dim) == (300, 8)
