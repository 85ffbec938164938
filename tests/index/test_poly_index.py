"""PolyIndex: the best items by the attention over codes, whatever is excluded, deleted, or found by a first stage."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.index.by_hand import clustered, recall, run_alone
from tfdual.index import BruteForce, Index, PolyIndex, ScaNN
from tfdual.index.poly_scan import ITEMS_AT_ONCE

CHANCE = np.random.default_rng(0)
ITEMS = CHANCE.normal(size=(80, 5)).astype(np.float32)
QUERIES = CHANCE.normal(size=(7, 4, 5)).astype(np.float32)
QUERIES[2, 2:] = 0  # two codes
IDS = [f"ä{i}" for i in range(80)]
BYTES = np.array([name.encode() for name in IDS], object)


def poly_scores(queries: np.ndarray, items: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """`(queries, items)`, in float64, query by query."""
    found = []
    for codes in queries.astype(np.float64):
        products = codes[np.any(codes != 0, axis=1)] @ items.astype(np.float64).T
        shares = np.exp(scale * products)
        found.append((shares * products).sum(axis=0) / shares.sum(axis=0))
    return np.array(found)


def best_by_hand(queries: np.ndarray, items: np.ndarray, k: int, hidden: np.ndarray | None = None) -> tuple:
    """Positions and scores, -1 and -inf where all others are hidden."""
    scores = poly_scores(queries, items)
    if hidden is not None:
        scores = np.where(hidden, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isinf(best), -1, order), best


def check(found: tuple, wanted: tuple) -> None:
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 80, 99])
def test_the_best_items_of_all_are_found_in_their_order(k: int) -> None:
    check(PolyIndex().build(ITEMS).search_positions(QUERIES, k), best_by_hand(QUERIES, ITEMS, min(k, 80)))


def test_the_scale_is_that_of_the_attention() -> None:
    found = PolyIndex(scale=3.0).build(ITEMS).search_positions(QUERIES, 80)
    wanted = np.sort(poly_scores(QUERIES, ITEMS, 3.0), axis=1)[:, ::-1]
    np.testing.assert_allclose(found[1], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [ITEMS_AT_ONCE, 2 * ITEMS_AT_ONCE + 17])
def test_items_in_several_blocks_are_found_as_in_one(count: int) -> None:
    items = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    queries = np.random.default_rng(2).normal(size=(3, 100, 3)).astype(np.float32)
    check(PolyIndex().build(items).search_positions(queries, 30), best_by_hand(queries, items, 30))


def test_products_of_any_size_are_scored() -> None:
    for size in (1e-3, 3.0, 6.0):
        found = PolyIndex().build(ITEMS * size).search_positions(QUERIES * size, 80)
        wanted = np.sort(poly_scores(QUERIES * size, ITEMS * size), axis=1)[:, ::-1]
        np.testing.assert_allclose(found[1], wanted, rtol=1e-4, atol=1e-8)


def test_a_query_without_a_code_scores_all_items_zero() -> None:
    queries = QUERIES.copy()
    queries[1] = 0
    positions, scores = PolyIndex().build(ITEMS).search_positions(queries, 3)
    assert (positions[1].numpy().tolist(), scores[1].numpy().tolist()) == ([0, 1, 2], [0.0, 0.0, 0.0])


def test_many_queries_at_once_are_found_as_one_by_one() -> None:
    queries = np.random.default_rng(3).normal(size=(300, 2, 5)).astype(np.float32)
    index = PolyIndex().build(ITEMS)
    alone = [index.search_positions(queries[row : row + 1], 3)[0][0].numpy() for row in (0, 150, 299)]
    np.testing.assert_array_equal(index.search_positions(queries, 3)[0].numpy()[[0, 150, 299]], alone)


@pytest.mark.parametrize("first", [None, BruteForce(), ScaNN()], ids=["all", "brute force", "scann"])
def test_what_is_excluded_or_not_allowed_or_deleted_never_costs_an_item(first: Index | None) -> None:
    index = PolyIndex(first, candidates=80).build(ITEMS, IDS)
    best = best_by_hand(QUERIES, ITEMS, 6)[0]
    hidden = np.zeros((7, 80), bool)
    np.put_along_axis(hidden, best[:, :4], True, axis=1)
    names = [[IDS[place] for place in row[:4]] + ["unknown"] for row in best]
    found = index.search(QUERIES, 10, exclude=names)
    check((found.ids, found.scores), named(best_by_hand(QUERIES, ITEMS, 10, hidden)))

    allow = np.random.default_rng(4).random((7, 80)) < 0.3
    found = index.search(QUERIES, 10, exclude=names, allow=allow)
    check((found.ids, found.scores), named(best_by_hand(QUERIES, ITEMS, 10, hidden | ~allow)))
    found = index.search(QUERIES, 50, allow=allow[0])
    check((found.ids, found.scores), named(best_by_hand(QUERIES, ITEMS, 50, np.tile(~allow[0], (7, 1)))))

    gone = [IDS[place] for place in best[0, :3]]
    hidden = np.tile(np.isin(IDS, gone), (7, 1))
    index.delete(gone)
    found = index.search(QUERIES, 10)
    check((found.ids, found.scores), named(best_by_hand(QUERIES, ITEMS, 10, hidden)))
    assert index.compact().size == 77


def named(found: tuple) -> tuple:
    return np.where(found[0] < 0, b"", BYTES[found[0]]), found[1]


def test_a_first_stage_finds_the_candidates_by_the_mean_of_the_codes() -> None:
    means = np.array([codes[np.any(codes != 0, axis=1)].mean(axis=0) for codes in QUERIES])
    hidden = np.ones((7, 80), bool)
    np.put_along_axis(hidden, np.argsort(-(means @ ITEMS.T), axis=1)[:, :12], False, axis=1)
    found = PolyIndex(BruteForce(), candidates=12).build(ITEMS).search_positions(QUERIES, 9)
    check(found, best_by_hand(QUERIES, ITEMS, 9, hidden))


def test_more_items_than_candidates_are_given_where_so_many_are_asked_for() -> None:
    found = PolyIndex(BruteForce(), candidates=2).build(ITEMS).search(QUERIES, 80)
    np.testing.assert_array_equal(np.sort(found.ids, axis=1), np.tile(np.arange(80), (7, 1)))


@pytest.mark.slow
def test_scann_as_a_first_stage_finds_nearly_all_also_in_a_saved_model(tmp_path: Path) -> None:
    items, queries = clustered(20_000, 1), clustered(64 * 4, 2).reshape(64, 4, 32)
    index = PolyIndex(ScaNN(0.9), candidates=400).build(items)
    positions, scores = index.search_positions(queries, 10)
    assert recall(positions.numpy(), best_by_hand(queries, items, 10)[0]) > 0.9
    assert not index.is_exact
    assert index.describe()["first"]["kind"] == "ScaNN"

    module = tf.Module()
    module.resources = index.resources
    specs = [tf.TensorSpec([None, None, 32], tf.float32), tf.TensorSpec([], tf.int32)]
    module.search = tf.function(index.search_positions, input_signature=specs, autograph=False)
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, tmp_path / "saved", options=options)
    loaded = tf.saved_model.load(tmp_path / "saved")
    again = loaded.search(queries, 10)
    np.testing.assert_allclose(again[1], scores, atol=1e-5)


LOADED = """
import sys
import numpy as np
from tfdual.index import Index
index = Index.load(sys.argv[1])
held = np.load(sys.argv[2])
found = index.search(held["queries"], 60)
assert (found.ids.numpy().astype(bytes) == held["ids"]).all()
np.testing.assert_allclose(found.scores, held["scores"], rtol=1e-5)
print(index.describe())
"""


def test_a_loaded_index_answers_as_the_saved_one_in_another_process(tmp_path: Path) -> None:
    index = PolyIndex(BruteForce("cosine"), candidates=70, scale=2.0).build(ITEMS, IDS, space="texts")
    index.delete(IDS[3:5])
    found = index.search(QUERIES, 60)
    np.savez(tmp_path / "held.npz", queries=QUERIES, ids=found.ids.numpy().astype(bytes), scores=found.scores)
    index.save(tmp_path / "index")
    assert run_alone(LOADED, tmp_path / "index", tmp_path / "held.npz").strip() == str(index.describe())
    assert index.describe()["scale"] == 2.0


def test_an_index_without_a_first_stage_is_loaded_without_one(tmp_path: Path) -> None:
    index = PolyIndex(scale=2.0).build(ITEMS)
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert loaded.first is None
    assert loaded.describe() == index.describe()
    np.testing.assert_array_equal(loaded.search(QUERIES, 9).ids, index.search(QUERIES, 9).ids)


def test_lists_of_items_are_scored_from_the_vectors_that_are_held() -> None:
    index = PolyIndex().build(ITEMS, IDS)
    index.delete(["ä9"])
    lists = [["ä1", "ä5", "ä5"], ["ä79"], [], ["ä9", "ä8"], ["nothing"], ["ä0"], ["ä2"]]
    scores = poly_scores(QUERIES, ITEMS)
    found = index.score_lists(QUERIES, tf.ragged.constant(lists)).numpy()
    assert found.shape == (7, 3)
    for row, names in enumerate(lists):
        for place in range(3):
            name = names[place] if place < len(names) else ""
            wanted = -np.inf if name in ("", "ä9", "nothing") else scores[row, IDS.index(name)]
            assert found[row, place] == pytest.approx(wanted, abs=1e-5)


def test_integer_ids_are_padded_with_minus_one() -> None:
    index = PolyIndex().build(ITEMS, 2**60 + np.arange(80))
    found = index.score_lists(QUERIES[:2], [[2**60 + 7, -1], [2**60, 2**60 + 1]]).numpy()
    scores = poly_scores(QUERIES[:2], ITEMS)
    np.testing.assert_allclose(found, [[scores[0, 7], -np.inf], scores[1, :2]], atol=1e-5)


def test_pairs_and_exact_positions_are_scored_as_a_search_does() -> None:
    index = PolyIndex(BruteForce(), candidates=3).build(ITEMS)
    scores = poly_scores(QUERIES, ITEMS)
    np.testing.assert_allclose(index.pair_scores(QUERIES, ITEMS[:7]), scores[np.arange(7), np.arange(7)], atol=1e-5)
    index.delete([0, 1, 2])
    hidden = np.tile(np.arange(80) < 3, (7, 1))
    np.testing.assert_array_equal(index.exact_positions(QUERIES, 6), best_by_hand(QUERIES, ITEMS, 6, hidden)[0])


def test_a_graph_around_a_search_finds_what_is_deleted_later_no_more() -> None:
    index = PolyIndex(BruteForce(), candidates=80).build(ITEMS)
    search = tf.function(lambda queries: index.search_positions(queries, 5))
    first = search(QUERIES)[0].numpy()
    index.delete([int(first[0, 0])])
    assert first[0, 0] not in search(QUERIES)[0].numpy()


@pytest.mark.parametrize("first", [None, BruteForce()], ids=["all", "brute force"])
def test_what_came_later_is_found_by_an_older_graph_scored_in_lists_kept_and_compacted(
    first: Index | None, tmp_path: Path
) -> None:
    index = PolyIndex(first, candidates=80).build(ITEMS[:60], IDS[:60])
    specs = [tf.TensorSpec([None, None, 5]), tf.TensorSpec([], tf.int32)]
    graph = tf.function(index.search_positions, input_signature=specs, autograph=False)
    graph.get_concrete_function()
    items, hidden = ITEMS.copy(), np.tile(np.isin(np.arange(80), [7, 70]), (7, 1))
    items[[5, 8]] *= -2  # changed; 8 was deleted before
    index.delete(["ä7", "ä8"])
    index.upsert(items[60:], IDS[60:])
    index.delete(["ä70"])
    index.upsert(items[[8, 5]], ["ä8", "ä5"])
    wanted = best_by_hand(QUERIES, items, 78, hidden)
    check(graph(QUERIES, 99), wanted)
    np.testing.assert_array_equal(index.exact_positions(QUERIES, 78), wanted[0])

    lists = [["ä5", "ä70", "ä79"], ["ä8", "ä7", "unknown"]]
    scores, nothing = poly_scores(QUERIES[:2], items), -np.inf
    by_hand = [[scores[0, 5], nothing, scores[0, 79]], [scores[1, 8], nothing, nothing]]
    np.testing.assert_allclose(index.score_lists(QUERIES[:2], lists), by_hand, rtol=1e-5)

    index.save(tmp_path / "index")
    for again in (Index.load(tmp_path / "index"), index.compact()):
        np.testing.assert_array_equal(again.ids[again.exact_positions(QUERIES, 99)], named(wanted)[0])


def test_an_index_that_is_not_exact_says_so() -> None:
    assert PolyIndex().build(ITEMS).is_exact
    assert not PolyIndex(BruteForce()).build(ITEMS).is_exact


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PolyIndex(candidates=0), "at least 1 candidate. Received candidates=0"),
        (lambda: PolyIndex(scale=0.0), "number above 0. Received 0"),
        (lambda: PolyIndex(BruteForce().build(ITEMS)), "not built yet.*a BruteForce of 80 items"),
        (lambda: PolyIndex(PolyIndex()), "index of vectors.*a PolyIndex"),
        (lambda: PolyIndex().search(QUERIES, 1), "holds no item yet"),
        (lambda: PolyIndex().build(ITEMS).upsert(ITEMS[:1, :4], [90]), "embeddings of width 5. Received 4"),
        (lambda: PolyIndex().build(ITEMS).search(QUERIES[:, 0], 1), r"shape \(batch, vectors, 5\). Received \(7, 5\)"),
        (lambda: PolyIndex().build(ITEMS).search(QUERIES[:, :, :4], 1), r"width 5.*Received \(7, 4, 4\)"),
        (lambda: PolyIndex().build(ITEMS).search(QUERIES, 0), "k is at least 1"),
        (lambda: PolyIndex().build(ITEMS).score_lists(QUERIES, [[1]]), "a list of ids for each"),
        (lambda: PolyIndex().build(QUERIES), "shape"),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_ids_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="ids of this index are int64"):
        PolyIndex().build(ITEMS).score_lists(QUERIES, [["a"]] * 7)
