"""Exact search and exclusion, against NumPy."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.index.by_hand import neighbours
from tfdual.index import BruteForce, _block_top_k, item_parts

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(300, 8)).astype(np.float32)
QUERIES = RNG.normal(size=(20, 8)).astype(np.float32)
ORDER = np.argsort(-(QUERIES @ ITEMS.T), axis=1)


@pytest.fixture(scope="module")
def index() -> BruteForce:
    return BruteForce().build(ITEMS)


@pytest.mark.parametrize("k", [1, 7, 300])
def test_the_best_items_come_best_first_with_their_inner_products(index: BruteForce, k: int) -> None:
    positions, scores = index.search_positions(tf.constant(QUERIES), k)
    np.testing.assert_array_equal(positions, ORDER[:, :k])
    expected = [[float(np.dot(QUERIES[i], ITEMS[j])) for j in ORDER[i, :k]] for i in range(20)]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_k_above_the_corpus_gives_the_whole_corpus(index: BruteForce) -> None:
    positions, _ = index.search_positions(tf.constant(QUERIES), 1000)
    np.testing.assert_array_equal(positions, ORDER)


def test_k_may_be_a_tensor_of_a_traced_function(index: BruteForce) -> None:
    search = tf.function(
        lambda q, k: index.search_positions(q, k)[0],
        input_signature=[tf.TensorSpec([None, 8]), tf.TensorSpec([], tf.int32)],
    )
    np.testing.assert_array_equal(search(QUERIES, 3), ORDER[:, :3])
    np.testing.assert_array_equal(search(QUERIES[:2], 9), ORDER[:2, :9])


@pytest.mark.parametrize("exclude", [None, np.array([[3]])])
@pytest.mark.parametrize("upserted", [False, True])
def test_a_search_in_python_never_writes_its_arrays_as_text(
    exclude: np.ndarray | None, upserted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow does, for an error that it then drops, where a graph is called with too few arguments."""
    index = BruteForce().build(ITEMS)
    if upserted:
        index.upsert(ITEMS[:1], [0])
    expected = index.search_positions(QUERIES[:1], 3, exclude)[0].numpy()

    def refuse(array: tf.Tensor) -> str:
        raise AssertionError("written as text")

    written_by = next(kind for kind in type(tf.constant(0)).__mro__ if "__repr__" in vars(kind))
    monkeypatch.setattr(written_by, "__repr__", refuse)
    found = index.search_positions(QUERIES[:1], 3, exclude)[0].numpy()
    assert found.tolist() == expected.tolist()


def test_exclusion_removes_exactly_these_and_still_fills_k(index: BruteForce) -> None:
    exclude = np.full((20, 6), -1)
    for i in range(20):
        chosen = [ORDER[i, 0], ORDER[i, 2], ORDER[i, 299], ORDER[i, 2]][: i % 5]
        exclude[i, : len(chosen)] = chosen
    expected = [[j for j in ORDER[i] if j not in exclude[i]][:10] for i in range(20)]
    positions, scores = index.search_positions(tf.constant(QUERIES), 10, tf.constant(exclude))
    np.testing.assert_array_equal(positions, expected)
    assert np.isfinite(scores).all()


def test_padding_alone_excludes_nothing(index: BruteForce) -> None:
    for exclude in (tf.fill([20, 3], -1), tf.zeros([20, 0], tf.int32)):
        np.testing.assert_array_equal(index.search_positions(tf.constant(QUERIES), 5, exclude)[0], ORDER[:, :5])


def test_the_order_of_the_excluded_does_not_matter(index: BruteForce) -> None:
    exclude = np.concatenate([np.full((20, 1), -1), ORDER[:, [1, 0]], np.full((20, 1), -1)], axis=1)
    positions = index.search_positions(tf.constant(QUERIES), 4, tf.constant(exclude))[0]
    np.testing.assert_array_equal(positions, ORDER[:, 2:6])


def test_places_that_cannot_be_filled_say_so() -> None:
    index = BruteForce().build(np.eye(4))
    positions, scores = index.search_positions(tf.constant([[4.0, 3.0, 2.0, 1.0]]), 3, tf.constant([[0, 3, 1]]))
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


def whole_numbers(rows: int, seed: int, least: int = -9, most: int = 9) -> np.ndarray:
    """Vectors whose products are exact in float32, and often equal."""
    return np.random.default_rng(seed).integers(least, most + 1, size=(rows, 4)).astype(np.float32)


def best(queries: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and positions; of equal scores, the lower position comes first."""
    scores = queries @ items.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), order


@pytest.mark.parametrize("items", [1, 2, 63, 64, 65, 127, 128, 129, 6_400, 9_999])
def test_of_equal_scores_the_lower_position_comes_first(items: int) -> None:
    index = BruteForce().build(whole_numbers(items, seed=1))
    queries = whole_numbers(40, seed=2)
    queries[7] = 0
    for k in (1, 2, 30, max(1, items - 1), items, items + 1):
        positions, scores = index.search_positions(tf.constant(queries), k)
        expected = best(queries, whole_numbers(items, seed=1), k)
        np.testing.assert_array_equal(positions, expected[1])
        np.testing.assert_array_equal(scores, expected[0])


@pytest.mark.parametrize("items", [64, 129, 300, 385])
def test_blocks_of_queries_and_parts_of_the_items_change_nothing(items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_parts, "ITEMS_AT_ONCE", 128)
    monkeypatch.setattr(item_parts, "QUERIES_AT_ONCE", (2, 4))
    monkeypatch.setattr(_block_top_k, "FEW_BLOCKS", 0)
    monkeypatch.setattr(_block_top_k, "FEW_SCORES", 0)
    index = BruteForce().build(whole_numbers(items, seed=1))
    queries = whole_numbers(11, seed=2)
    expected = best(queries, whole_numbers(items, seed=1), items)
    for count in (1, 3, 4, 5, 11):
        for k in (1, 40, items):
            positions, scores = index.search_positions(tf.constant(queries[:count]), k)
            np.testing.assert_array_equal(positions, expected[1][:count, :k])
            np.testing.assert_array_equal(scores, expected[0][:count, :k])


@pytest.mark.parametrize("distance", ["dot", "l2"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("each", [False, True])
def test_masks_hold_in_blocks_of_queries_and_parts_of_the_items(
    distance: str, dtype: str, each: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_parts, "ITEMS_AT_ONCE", 128)
    monkeypatch.setattr(item_parts, "QUERIES_AT_ONCE", (2, 4))
    monkeypatch.setattr(_block_top_k, "FEW_BLOCKS", 0)
    monkeypatch.setattr(_block_top_k, "FEW_SCORES", 0)
    items, queries = whole_numbers(385, seed=1), whole_numbers(11, seed=2)
    index = BruteForce(distance, dtype).build([items[:100], items[100:]])
    for share in (0.0, 0.02, 0.5, 1.0):
        allow = np.random.default_rng(3).random((11, 385) if each else 385) < share
        expected = neighbours(queries, items, 385, distance, ~np.broadcast_to(allow, (11, 385)))
        for k in (1, 40, 385):
            positions, scores = index.search_positions(queries, k, allow=allow)
            np.testing.assert_array_equal(positions, expected[0][:, :k])
            np.testing.assert_array_equal(scores, expected[1][:, :k])


def test_exclusion_in_a_corpus_of_many_blocks() -> None:
    items, queries = whole_numbers(20_000, seed=1, least=-99, most=99), whole_numbers(30, seed=2, least=-99, most=99)
    everything = best(queries, items, 20_000)[1]
    exclude = np.concatenate([everything[:, :50:3], np.full((30, 5), -1)], axis=1)
    expected = [[j for j in row if j not in hidden][:60] for row, hidden in zip(everything, exclude, strict=True)]
    positions = BruteForce().build(items).search_positions(tf.constant(queries), 60, tf.constant(exclude))[0]
    np.testing.assert_array_equal(positions, expected)


@pytest.mark.parametrize("items", [300, 20_000])
def test_a_batch_without_queries_finds_nothing(items: int) -> None:
    index = BruteForce().build(whole_numbers(items, seed=1))
    positions, scores = index.search_positions(tf.zeros([0, 4]), 7)
    assert scores.shape == positions.shape == (0, 7)
    assert index.search_positions(tf.zeros([0, 4]), 7, tf.zeros([0, 3], tf.int32))[0].shape == (0, 7)


def test_queries_of_float64_are_searched_in_float32(index: BruteForce) -> None:
    positions, scores = index.search_positions(tf.constant(QUERIES, tf.float64), 3)
    np.testing.assert_array_equal(positions, ORDER[:, :3])
    assert scores.dtype == tf.float32


LOADED = """
import sys
import numpy as np
import tensorflow as tf
queries, expected = np.load(sys.argv[2] + "/queries.npy"), np.load(sys.argv[2] + "/expected.npy")
loaded = tf.saved_model.load(sys.argv[1])
for count, k in ((0, 5), (1, 5), (600, 5), (600, 70)):
    found = loaded.search(tf.constant(queries[:count]), tf.constant(k))[0].numpy()
    assert found.shape == (count, k), found.shape
    assert (found == expected[:count, :k]).all()
assert "tfdual" not in sys.modules
"""


def test_a_saved_model_finds_the_same_in_a_process_without_this_library(tmp_path: Path) -> None:
    items, queries = whole_numbers(20_000, seed=1, least=-99, most=99), whole_numbers(600, seed=2, least=-99, most=99)
    index = BruteForce().build(items)
    module = tf.Module()
    module.resources = index.resources
    specs = [tf.TensorSpec([None, 4]), tf.TensorSpec([], tf.int32)]
    module.search = tf.function(lambda q, k: index.search_positions(q, k), input_signature=specs)
    tf.saved_model.save(module, tmp_path / "saved")
    np.save(tmp_path / "queries.npy", queries)
    np.save(tmp_path / "expected.npy", best(queries, items, 70)[1])
    command = [sys.executable, "-c", LOADED, str(tmp_path / "saved"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


MANY = """
import resource
import numpy as np
import tensorflow as tf
from tfdual.index import BruteForce
rng = np.random.default_rng(0)
items = rng.normal(size=(300_000, 8)).astype(np.float32)
index = BruteForce().build(items)
queries = rng.normal(size=(20_000, 8)).astype(np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
positions = index.search_positions(tf.constant(queries), 10)[0].numpy()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
scores = queries[-3:] @ items.T
assert (np.sort(np.argsort(-scores)[:, :10]) == np.sort(positions[-3:])).all()
"""


@pytest.mark.slow
def test_many_queries_on_many_items_are_searched_in_one_call_of_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 1_200  # MiB; all scores at once are 23,000


def test_it_describes_itself(index: BruteForce) -> None:
    sizes: dict[str, Any] = {"kind": "BruteForce", "items": 300, "dim": 8, "fresh": 0, "deleted": 0}
    assert index.describe() == sizes | {"distance": "dot", "dtype": "float32", "exact": True}
    assert (index.size, index.dim) == (300, 8)


@pytest.mark.parametrize("distance", ["dot", "cosine", "l2"])
def test_other_embeddings_of_the_same_items_are_found_as_after_a_build(distance: str) -> None:
    rng = np.random.default_rng(7)
    before, after, asked = (rng.normal(size=(count, 9)).astype(np.float32) for count in (300, 300, 5))
    index = BruteForce(distance).build(before)
    index.search(asked, 20)
    found = index.replace([after[:100], after[100:]]).search(asked, 20)
    wanted = BruteForce(distance).build(after).search(asked, 20)
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-6)


def test_other_embeddings_than_fit_are_refused() -> None:
    vectors = np.eye(6, dtype=np.float32)
    index = BruteForce().build(vectors)
    for wrong in (vectors[:5], vectors[:, :5]):
        with pytest.raises(ValueError, match="Received"):
            index.replace(wrong)
    index.delete([3])
    for changed in (index, BruteForce(dtype="int8").build(vectors)):
        with pytest.raises(ValueError, match="Call `build` instead"):
            changed.replace(vectors)


def test_embeddings_that_are_refused_halfway_leave_all_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_parts, "ITEMS_AT_ONCE", 256)
    before = np.random.default_rng(8).normal(size=(600, 8)).astype(np.float32)
    index, other = BruteForce().build(before), -before
    other[500, 0] = np.nan
    for wrong, message in (([other[:300], other[300:]], "item 500 holds NaN"), ([-before[:300]], "300 embeddings")):
        with pytest.raises(ValueError, match=message):
            index.replace(iter(wrong))
        np.testing.assert_array_equal(np.concatenate(list(index.rows())), before)


def test_exact_positions_of_doubles() -> None:
    chance = np.random.default_rng(0)
    items, queries = chance.normal(size=(30, 8)), chance.normal(size=(3, 8))
    wanted = np.argsort(-queries @ items.T, axis=1)[:, :4]
    np.testing.assert_array_equal(BruteForce().build(items).exact_positions(queries, 4), wanted)
