"""ScaNN: exact where the corpus is small, tuned to its recall where it is large, never short of k."""

import json

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("scann")

from tfdual.index import BruteForce, ScaNN

SMALL = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
QUERIES = np.random.default_rng(1).normal(size=(30, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def small() -> ScaNN:
    return ScaNN().build(SMALL)


def clustered(count: int, seed: int) -> np.ndarray:
    """Unit vectors around 100 centres, as trained embeddings are."""
    centres = np.random.default_rng(0).normal(size=(100, 32))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, 100, count)] + 0.7 * rng.normal(size=(count, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


LARGE = clustered(25_000, seed=1)
HELD_OUT = clustered(200, seed=2)


@pytest.fixture(scope="module")
def large() -> ScaNN:
    return ScaNN(target_recall=0.9).build(LARGE)


@pytest.fixture(scope="module")
def exact() -> BruteForce:
    return BruteForce().build(LARGE)


@pytest.mark.parametrize("k", [1, 10, 500, 900])
def test_a_small_corpus_is_searched_exactly(small: ScaNN, k: int) -> None:
    scores, positions = small.search(tf.constant(QUERIES), k)
    products = QUERIES @ SMALL.T
    np.testing.assert_array_equal(positions, np.argsort(-products, axis=1)[:, :k])
    np.testing.assert_allclose(scores, -np.sort(-products, axis=1)[:, :k], rtol=1e-4, atol=1e-5)
    assert small.describe()["exact"] is True


def test_exclusion_works_as_in_every_index(small: ScaNN) -> None:
    exclude = tf.constant(np.argsort(-(QUERIES @ SMALL.T), axis=1)[:, [0, 2]])
    expected = BruteForce().build(SMALL).search(tf.constant(QUERIES), 10, exclude)
    np.testing.assert_array_equal(small.search(tf.constant(QUERIES), 10, exclude)[1], expected[1])


def test_fewer_items_than_scann_tunes_for_is_no_problem() -> None:
    _, positions = ScaNN().build(np.eye(3)).search(tf.constant([[0.0, 2.0, 1.0]]), 10)
    assert positions.numpy().tolist() == [[1, 2, 0]]


@pytest.mark.slow
def test_a_large_corpus_reaches_its_recall_on_queries_it_was_not_tuned_on(large: ScaNN, exact: BruteForce) -> None:
    found = large.search(tf.constant(HELD_OUT), 10)[1].numpy()
    best = exact.search(tf.constant(HELD_OUT), 10)[1].numpy()
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)])
    assert recall >= 0.88
    about = large.describe()
    assert about["exact"] is False
    assert about["measured_recall"] >= about["target_recall"] == 0.9
    assert 1 <= about["leaves_to_search"] < about["leaves"]


@pytest.mark.slow
@pytest.mark.parametrize("k", [10, 5_000, 25_000, 30_000])
def test_no_query_ever_gets_fewer_than_k(large: ScaNN, k: int) -> None:
    scores, positions = large.search(tf.constant(HELD_OUT[:5]), k)
    wanted = min(k, 25_000)
    assert positions.shape == (5, wanted)
    assert (positions.numpy() >= 0).all()
    assert all(len(set(row)) == wanted for row in positions.numpy().tolist())
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()


@pytest.mark.slow
def test_excluding_many_items_of_a_large_corpus_still_fills_k(large: ScaNN, exact: BruteForce) -> None:
    exclude = exact.search(tf.constant(HELD_OUT[:5]), 300)[1]
    positions = large.search(tf.constant(HELD_OUT[:5]), 10, exclude)[1].numpy()
    assert (positions >= 0).all()
    assert not any(set(a) & set(b) for a, b in zip(positions.tolist(), exclude.numpy().tolist(), strict=True))


@pytest.mark.slow
def test_it_tunes_on_the_queries_it_is_given(large: ScaNN) -> None:
    easy = ScaNN(target_recall=0.9, tuning_queries=clustered(64, seed=3)).build(LARGE)
    assert easy.describe()["measured_recall"] >= 0.9
    assert easy.describe()["measured_recall"] != large.describe()["measured_recall"]


def test_its_description_is_plain_json(small: ScaNN) -> None:
    assert json.loads(json.dumps(small.describe())) == {
        "kind": "ScaNN",
        "items": 500,
        "dim": 16,
        "exact": True,
        "leaves": 0,
        "leaves_to_search": 0,
        "target_recall": 0.95,
        "measured_recall": 1.0,
    }


@pytest.mark.parametrize("recall", [0, -0.5, 1.01, float("nan")])
def test_a_recall_outside_its_range_is_refused(recall: float) -> None:
    with pytest.raises(ValueError, match=r"target_recall is in \(0, 1\]. Received"):
        ScaNN(target_recall=recall)
