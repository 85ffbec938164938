"""Dot product, cosine and squared L2, on every index and in every type."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.index.by_hand import neighbours, recall
from tfdual.index import BruteForce, Index, ScaNN

RNG = np.random.default_rng(0)
ITEMS = (RNG.normal(size=(700, 12)) * RNG.uniform(0.2, 3, (700, 1))).astype(np.float32)
QUERIES = RNG.normal(size=(25, 12)).astype(np.float32)
DISTANCES = ["dot", "cosine", "l2"]


def make(kind: str, distance: str) -> Index:
    if kind == "scann":
        pytest.importorskip("scann")
        return ScaNN(distance=distance)
    return BruteForce(distance, kind)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int8", "scann"])
def test_neighbours_and_scores_are_those_of_numpy(kind: str, distance: str) -> None:
    index = make(kind, distance).build(ITEMS)
    for k in (1, 10, 200, 700, 900):
        positions, scores = index.search_positions(tf.constant(QUERIES), k)
        expected = neighbours(QUERIES, ITEMS, k, distance)
        np.testing.assert_array_equal(positions, expected[0])
        np.testing.assert_allclose(scores, expected[1], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_order_of_the_three_differs(distance: str) -> None:
    best = {other: neighbours(QUERIES, ITEMS, 10, other)[0] for other in DISTANCES}
    found = BruteForce(distance).build(ITEMS).search_positions(QUERIES, 10)[0].numpy()
    assert {other: bool((found == best[other]).all()) for other in DISTANCES} == {d: d == distance for d in DISTANCES}


@pytest.mark.parametrize("distance", DISTANCES)
def test_signs_alone_score_by_the_query_and_the_mean_size_of_the_items_numbers(distance: str) -> None:
    signs = np.where(ITEMS > 0, 1.0, -1.0)
    prepared = ITEMS / np.linalg.norm(ITEMS, axis=1, keepdims=True) if distance == "cosine" else ITEMS
    queries = QUERIES / np.linalg.norm(QUERIES, axis=1, keepdims=True) if distance == "cosine" else QUERIES
    scores = (queries @ signs.T) * np.abs(prepared).mean(axis=1)
    if distance == "l2":
        scores = 2 * scores - np.square(ITEMS).sum(axis=1) - np.square(QUERIES).sum(axis=1)[:, None]
    index = BruteForce(distance, "binary", keep_embeddings=False).build(ITEMS)
    positions, found = index.search_positions(QUERIES, 700)
    expected = np.minimum(np.take_along_axis(scores, positions.numpy(), axis=1), 0 if distance == "l2" else np.inf)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert (np.sort(positions, axis=1) == np.arange(700)).all()
    assert max(variable.shape[0] for variable in index._resources() if variable.dtype == tf.uint8) == 2  # 12 bits


@pytest.mark.parametrize("distance", DISTANCES)
def test_candidates_by_signs_are_scored_again_exactly(distance: str) -> None:
    index = BruteForce(distance, "binary").build(ITEMS)
    positions, scores = index.search_positions(QUERIES, 3)  # 268 of the 700 are scored again
    best = neighbours(QUERIES, ITEMS, 3, distance)
    assert recall(positions.numpy(), best[0]) > 0.95
    exact = neighbours(QUERIES, ITEMS, 700, distance)
    for query in range(25):
        known = dict(zip(exact[0][query].tolist(), exact[1][query].tolist(), strict=True))
        expected = [known[position] for position in positions[query].numpy().tolist()]
        np.testing.assert_allclose(scores[query], expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_a_compact_copy_alone_finds_what_it_says(dtype: str, distance: str) -> None:
    index = BruteForce(distance, dtype, keep_embeddings=False).build(ITEMS)
    found, scores = index.search_positions(QUERIES, 10)
    best = neighbours(QUERIES, ITEMS, 10, distance)
    assert recall(found.numpy(), best[0]) > 0.93
    np.testing.assert_allclose(scores, best[1], rtol=0.05, atol=0.1)
    about = index.describe()
    assert (about["exact"], about["dtype"]) == (False, dtype)
    assert abs(about["measured_recall"] - recall(found.numpy(), best[0])) < 0.06
    assert not any(variable.dtype == tf.float32 and variable.shape[-1:] == [12] for variable in index._resources())


def test_equal_scores_of_a_compact_copy_come_by_position() -> None:
    items = np.repeat(np.eye(4), 50, axis=0)
    positions, _ = BruteForce(dtype="int8").build(items).search_positions(np.eye(4)[2:3], 7)
    assert positions.numpy().tolist() == [list(range(100, 107))]


def test_items_of_zeros_have_no_cosine_and_are_named() -> None:
    items = ITEMS.copy()
    items[41] = 0
    with pytest.raises(ValueError, match=r"embedding of item 41 is all zeros, which has no cosine"):
        BruteForce("cosine").build(items)
    for distance in ("dot", "l2"):
        best = neighbours(QUERIES, items, 9, distance)[0]
        np.testing.assert_array_equal(BruteForce(distance).build(items).search_positions(QUERIES, 9)[0], best)


def test_a_query_of_zeros_has_cosine_0_to_all() -> None:
    positions, scores = BruteForce("cosine").build(ITEMS).search_positions(np.zeros((1, 12)), 3)
    assert (positions.numpy().tolist(), scores.numpy().tolist()) == ([[0, 1, 2]], [[0.0, 0.0, 0.0]])


@pytest.mark.parametrize("make", [lambda: BruteForce("euclid"), lambda: ScaNN(distance="euclid")])
def test_another_distance_is_refused(make: Callable[[], Index]) -> None:
    pytest.importorskip("scann")
    with pytest.raises(ValueError, match=r"distance is one of \['dot', 'cosine', 'l2'\]. Received 'euclid'"):
        make()


def test_another_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype is one of .*'int8'.*Received 'float16'"):
        BruteForce(dtype="float16")
    with pytest.raises(ValueError, match="In float32 the embeddings are what is searched"):
        BruteForce(keep_embeddings=False)
