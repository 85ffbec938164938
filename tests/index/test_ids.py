"""Ids in and out, exclusion by ids, masks of what is allowed: against NumPy, and refused where they can't be right."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.by_hand import neighbours
from tfdual.index import BruteForce, Neighbours
from tfdual.index.id_positions import IdPositions
from tfdual.index.item_ids import id_array

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(60, 6)).astype(np.float32)
QUERIES = RNG.normal(size=(9, 6)).astype(np.float32)
LARGE_IDS = (2**62 + RNG.permutation(60)).astype(np.int64)
TEXT_IDS = [f"Käse №{i} 乳酪" for i in RNG.permutation(60)]


def encoded(ids: Any) -> np.ndarray:
    return np.array([item.encode() if isinstance(item, str) else item for item in ids], object)


@pytest.mark.parametrize(
    "ids", [LARGE_IDS, TEXT_IDS, LARGE_IDS.tolist(), -LARGE_IDS], ids=["int64", "text", "list", "negative"]
)
def test_a_search_gives_the_ids_of_the_best_items(ids: Any) -> None:
    found = BruteForce().build(ITEMS, ids).search(QUERIES, 7)
    assert isinstance(found, Neighbours)
    best = neighbours(QUERIES, ITEMS, 7)
    np.testing.assert_array_equal(found.ids.numpy(), encoded(ids)[best[0]])
    np.testing.assert_allclose(found.scores, best[1], rtol=1e-5, atol=1e-6)


def test_without_ids_the_positions_are_ids() -> None:
    index = BruteForce().build(ITEMS)
    found = index.search(QUERIES, 7)
    assert found.ids.dtype == tf.int64
    np.testing.assert_array_equal(found.ids, index.search_positions(QUERIES, 7)[0])


@settings(max_examples=40, deadline=None)
@given(
    items=st.integers(1, 40),
    k=st.integers(1, 60),
    hidden=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    allowed=st.sampled_from([None, 0.0, 0.1, 0.7, 1.0]),
    text=st.booleans(),
    each=st.booleans(),
    ragged=st.booleans(),
    distance=st.sampled_from(["dot", "l2"]),
    seed=st.integers(0, 10_000),
)
def test_any_exclusion_and_any_mask_leave_the_best_of_the_rest(
    items: int,
    k: int,
    hidden: float,
    allowed: float | None,
    text: bool,
    each: bool,
    ragged: bool,
    distance: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.integers(-3, 4, size=(items, 3)).astype(np.float32)
    queries = rng.integers(-3, 4, size=(4, 3)).astype(np.float32)
    ids = encoded([f"ü{i}" for i in range(items)]) if text else 2**62 + np.arange(items)
    gone = rng.random((4, items)) < hidden
    unknown = [b"unknown"] if text else [17]
    lists = [[*rng.permutation(ids[row]), *unknown] for row in gone]
    lacking = b"" if text else -1
    exclude: Any = tf.ragged.constant(lists, tf.string if text else tf.int64)
    exclude = exclude if ragged else exclude.to_tensor(lacking)
    allow = None if allowed is None else rng.random((4, items) if each else items) < allowed
    found = BruteForce(distance).build(embeddings, ids).search(queries, k, exclude, allow)
    mask = gone if allow is None else gone | ~np.broadcast_to(allow, gone.shape)
    positions, scores = neighbours(queries, embeddings, min(k, items), distance, mask)
    expected = np.where(positions < 0, lacking, ids[positions])
    np.testing.assert_array_equal(found.ids.numpy(), expected)
    np.testing.assert_array_equal(found.scores, scores.astype(np.float32))


def test_a_traced_search_takes_k_ids_and_masks_as_inputs() -> None:
    index = BruteForce().build(ITEMS, TEXT_IDS)
    specs = [
        tf.TensorSpec([None, 6]),
        tf.TensorSpec([], tf.int64),
        tf.TensorSpec([None, None], tf.string),
        tf.TensorSpec([None], tf.bool),
    ]
    search = tf.function(lambda *arguments: index.search(*arguments), input_signature=specs)
    allow = np.arange(60) % 3 > 0
    exclude = encoded(TEXT_IDS)[neighbours(QUERIES, ITEMS, 4)[0]]
    hidden = ~np.broadcast_to(allow, (9, 60)).copy()
    np.put_along_axis(hidden, neighbours(QUERIES, ITEMS, 4)[0], True, axis=1)
    for k in (1, 20, 60, 90):
        found = search(QUERIES, np.int64(k), exclude, allow)
        positions, _ = neighbours(QUERIES, ITEMS, min(k, 60), hidden=hidden)
        np.testing.assert_array_equal(found.ids.numpy(), np.where(positions < 0, b"", encoded(TEXT_IDS)[positions]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="k is at least 1"):
        search(QUERIES, np.int64(0), exclude, allow)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one value for each position"):
        search(QUERIES, np.int64(5), exclude, allow[:-1])


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_1_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is at least 1. Received {k}"):
        BruteForce().build(ITEMS).search(QUERIES, k)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([*range(59), 7], ValueError, "Ids must differ; 7 stands twice"),
        ([*TEXT_IDS[:59], TEXT_IDS[3]], ValueError, f"Ids must differ; '{TEXT_IDS[3]}' stands twice"),
        (range(59), ValueError, "Each item needs one id. Received 60 embeddings and 59 ids"),
        ([*TEXT_IDS[:59], None], ValueError, "The id of item 59 is missing: None"),
        ([*TEXT_IDS[:59], ""], ValueError, "The id of item 59 is '', which marks a place without an item"),
        ([*range(59), -1], ValueError, "The id of item 59 is -1, which marks a place without an item"),
        (np.arange(60.0), TypeError, "Ids are int64 or strings, one an item. Received float64"),
        (np.arange(60, dtype=np.uint64) + np.uint64(2**63), ValueError, "is over int64"),
        ([*TEXT_IDS[:59], 5], TypeError, "Received 5 at place 59 among strings"),
        (np.zeros((60, 2), int), ValueError, "in one dimension"),
    ],
)
def test_ids_that_can_not_be_ids_are_refused(ids: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        BruteForce().build(ITEMS, list(ids) if isinstance(ids, range) else ids)


def test_two_strings_of_one_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdual.index.id_positions.BUCKETS", 50)
    with pytest.raises(ValueError, match="have one hash. Rename one of them"):
        BruteForce().build(ITEMS, TEXT_IDS)


def test_a_string_of_the_hash_of_another_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdual.index.id_positions.BUCKETS", 1)
    table = IdPositions(id_array(["tea"]))
    assert table.positions(tf.constant(["milk", "tea", ""])).numpy().tolist() == [-1, 0, -1]


def test_the_largest_and_the_smallest_integers_are_ids() -> None:
    ids = np.array([2**63 - 1, -(2**63), 0, 2**63 - 2])
    table = IdPositions(ids)
    assert table.positions(tf.constant([*ids, -1, 1])).numpy().tolist() == [0, 1, 2, 3, -1, -1]
    assert table.ids(tf.constant([0, 3, -1, 4])).numpy().tolist() == [2**63 - 1, 2**63 - 2, -1, -1]
    assert IdPositions(ids[1:]).positions(tf.constant([2**63 - 1])).numpy().tolist() == [-1]


def test_arguments_of_another_kind_are_refused() -> None:
    index = BruteForce().build(ITEMS, TEXT_IDS)
    with pytest.raises(TypeError, match="ids of this index are string. Received ids to exclude of int32"):
        index.search(QUERIES, 3, exclude=tf.zeros([9, 1], tf.int32))
    with pytest.raises(TypeError, match="`allow` is bool"):
        index.search(QUERIES, 3, allow=np.ones(60))
    for wrong in (np.ones(59, bool), np.ones((8, 60), bool), np.ones((9, 61), bool)):
        with pytest.raises(ValueError, match="one value for each of the 60 positions"):
            index.search(QUERIES, 3, allow=wrong)
    with pytest.raises(ValueError, match=r"`allow` is \(positions,\) or \(batch, positions\)"):
        index.search(QUERIES, 3, allow=np.ones((1, 9, 60), bool))
    for width in (5, 7):
        with pytest.raises(ValueError, match="holds embeddings of width 6, and takes queries of shape"):
            index.search(np.zeros((2, width), np.float32), 3)


def test_blocks_of_embeddings_are_as_good_as_one_matrix() -> None:
    blocks = lambda: iter([ITEMS[:7], ITEMS[7:7], ITEMS[7:50], ITEMS[50:]])  # noqa: E731
    for dtype in ("float32", "bfloat16", "int8"):
        whole = BruteForce(dtype=dtype).build(ITEMS, LARGE_IDS).search(QUERIES, 9)
        for ids in (None, LARGE_IDS):
            found = BruteForce(dtype=dtype).build(blocks(), ids).search(QUERIES, 9)
            np.testing.assert_array_equal(found.scores, whole.scores)
            if ids is not None:
                np.testing.assert_array_equal(found.ids, whole.ids)


def test_blocks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="All embeddings have one width. Received 6, and 5 after it"):
        BruteForce().build([ITEMS, ITEMS[:, :5]])
    with pytest.raises(ValueError, match="Received 60 ids and more embeddings"):
        BruteForce().build([ITEMS, ITEMS], LARGE_IDS)
    with pytest.raises(ValueError, match="Received 30 embeddings and 60 ids"):
        BruteForce().build([ITEMS[:30]], LARGE_IDS)
    with pytest.raises(ValueError, match="The embedding of item 62 holds NaN"):
        BruteForce().build([ITEMS, np.array([[1.0] * 6, [2.0] * 6, [np.nan] * 6])])
    with pytest.raises(ValueError, match="Received no block"):
        BruteForce().build([])


def test_an_index_that_failed_to_be_built_again_is_what_it_was() -> None:
    index = BruteForce().build(ITEMS, TEXT_IDS)
    before = index.search(QUERIES, 5)
    with pytest.raises(ValueError, match="stands twice"):
        index.build(ITEMS * 2, ["a"] * 60)
    with pytest.raises(ValueError, match="one width"):
        index.build([ITEMS, ITEMS[:, :5]])
    np.testing.assert_array_equal(index.search(QUERIES, 5).ids, before.ids)


def test_the_ids_are_no_part_of_a_graph() -> None:
    index = BruteForce().build(np.ones((50_000, 1)), [f"item {i}" for i in range(50_000)])
    search = tf.function(index.search).get_concrete_function(
        tf.TensorSpec([None, 1]), tf.TensorSpec([], tf.int32), tf.TensorSpec([None, None], tf.string)
    )
    assert search.graph.as_graph_def().ByteSize() < 500_000
