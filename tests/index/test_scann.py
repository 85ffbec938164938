"""ScaNN: exact where the corpus is small, tuned to its recall where it is large, never short of k."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("scann")

from tests.index.by_hand import clustered, neighbours, recall, run_alone
from tfdual.index import BruteForce, Index, ScaNN
from tfdual.index.recall import measured_recall
from tfdual.index.scann_searcher import _halves_by_op

SMALL = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
QUERIES = np.random.default_rng(1).normal(size=(30, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def small() -> ScaNN:
    return ScaNN().build(SMALL)


LARGE = clustered(25_000, seed=1)
HELD_OUT = clustered(1_000, seed=2)


@pytest.fixture(scope="module")
def large() -> ScaNN:
    return ScaNN(target_recall=0.9, tuning_queries=clustered(600, seed=6)).build(LARGE)


@pytest.fixture(scope="module")
def exact() -> BruteForce:
    return BruteForce().build(LARGE)


@pytest.mark.parametrize("k", [1, 10, 500, 900])
def test_a_small_corpus_is_searched_exactly(small: ScaNN, k: int) -> None:
    positions, scores = small.search_positions(tf.constant(QUERIES), k)
    products = QUERIES @ SMALL.T
    np.testing.assert_array_equal(positions, np.argsort(-products, axis=1)[:, :k])
    np.testing.assert_allclose(scores, -np.sort(-products, axis=1)[:, :k], rtol=1e-4, atol=1e-5)
    assert small.describe()["exact"] is True


def test_exclusion_works_as_in_every_index(small: ScaNN) -> None:
    exclude = tf.constant(np.argsort(-(QUERIES @ SMALL.T), axis=1)[:, [0, 2]])
    expected = BruteForce().build(SMALL).search_positions(tf.constant(QUERIES), 10, exclude)
    found = small.search_positions(tf.constant(QUERIES), 10, exclude)
    np.testing.assert_array_equal(found[0], expected[0])


def test_fewer_items_than_scann_tunes_for_is_no_problem() -> None:
    positions, _ = ScaNN().build(np.eye(3)).search_positions(tf.constant([[0.0, 2.0, 1.0]]), 10)
    assert positions.numpy().tolist() == [[1, 2, 0]]


@pytest.mark.slow
def test_a_large_corpus_reaches_its_recall_on_queries_it_was_not_tuned_on(large: ScaNN, exact: BruteForce) -> None:
    found = large.search_positions(tf.constant(HELD_OUT), 10)[0].numpy()
    best = exact.search_positions(tf.constant(HELD_OUT), 10)[0].numpy()
    assert recall(found, best) >= 0.88
    about = large.describe()
    assert about["exact"] is False
    assert about["measured_recall"] >= about["target_recall"] == 0.9
    assert about["reorder"] >= 10
    assert 1 <= about["leaves_to_search"] < about["leaves"]


@pytest.mark.slow
@pytest.mark.parametrize("k", [10, 5_000, 25_000, 30_000])
def test_no_query_ever_gets_fewer_than_k(large: ScaNN, k: int) -> None:
    positions, scores = large.search_positions(tf.constant(HELD_OUT[:5]), k)
    wanted = min(k, 25_000)
    assert positions.shape == (5, wanted)
    assert (positions.numpy() >= 0).all()
    assert all(len(set(row)) == wanted for row in positions.numpy().tolist())
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()


@pytest.mark.slow
def test_excluding_many_items_of_a_large_corpus_still_fills_k(large: ScaNN, exact: BruteForce) -> None:
    exclude = exact.search_positions(tf.constant(HELD_OUT[:5]), 300)[0]
    positions = large.search_positions(tf.constant(HELD_OUT[:5]), 10, exclude)[0].numpy()
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
        "distance": "dot",
        "exact": True,
        "fresh": 0,
        "deleted": 0,
        "leaves": 0,
        "leaves_to_search": 0,
        "reorder": 0,
        "target_recall": 0.95,
        "measured_recall": 1.0,
    }


@pytest.mark.parametrize("recall", [0, -0.5, 1.01, float("nan")])
def test_a_recall_outside_its_range_is_refused(recall: float) -> None:
    with pytest.raises(ValueError, match=r"target_recall is in \(0, 1\]. Received"):
        ScaNN(target_recall=recall)


@pytest.fixture(scope="module")
def several() -> dict[str, ScaNN]:
    """By distance, 30,000 vectors of different lengths."""
    return {name: ScaNN(distance=name).build(VECTORS) for name in ("dot", "cosine", "l2")}


VECTORS, ASKED = clustered(30_000, seed=4, unit=False), clustered(100, seed=5, unit=False)


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["dot", "cosine", "l2"])
def test_python_and_graph_find_the_same_neighbours(several: dict[str, ScaNN], distance: str) -> None:
    index = several[distance]
    specs = [tf.TensorSpec([None, 32]), tf.TensorSpec([], tf.int32)]
    search = tf.function(lambda queries, k: index.search_positions(queries, k), input_signature=specs)
    for count, k in ((1, 1), (100, 10), (7, 300), (0, 5)):
        (found, scores), (traced, traced_scores) = index.search_positions(ASKED[:count], k), search(ASKED[:count], k)
        np.testing.assert_array_equal(found, traced)
        np.testing.assert_allclose(scores, traced_scores, rtol=1e-6)


def test_no_half_of_a_batch_waits_for_the_other() -> None:
    nodes = [node for node in _halves_by_op().graph.get_operations() if node.type == "Scann>ScannSearchBatched"]
    assert len(nodes) == 2
    assert not any(node.control_inputs for node in nodes)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ScaNN finds")
@pytest.mark.parametrize("k, leaves_to_search", [(10, 20), (400, 1)])
def test_a_graph_finds_the_same_in_batches_of_any_size(k: int, leaves_to_search: int) -> None:
    index = ScaNN(leaves_to_search=leaves_to_search, reorder=100).build(LARGE)
    queries = clustered(600, seed=4)
    spec = [tf.TensorSpec([None, queries.shape[1]])]
    graph = tf.function(lambda queries: index.search_positions(queries, k), input_signature=spec)
    positions, scores = (part.numpy() for part in index.search_positions(tf.constant(queries), k))
    shares, alike = [], []
    for size in (0, 1, 2, 31, 32, 33, 255, 511, 512, 600):
        found = [part.numpy() for part in graph(tf.constant(queries[:size]))]
        assert found[0].shape == (size, k)
        for row in range(size):
            _, here, there = np.intersect1d(found[0][row], positions[row], return_indices=True)
            shares.append(len(here) / k)
            alike.append(np.isclose(found[1][row][here], scores[row][there], rtol=1e-5, atol=1e-5).mean())
    # One query and many pass different kernels, whose rounding may decide on a leaf, or on its last items.
    assert np.mean(shares) > 0.99
    assert np.mean(alike) > 0.99


def test_the_recall_of_a_search_is_that_by_hand(several: dict[str, ScaNN]) -> None:
    index = several["dot"]
    found, _ = index.search_positions(ASKED, 10)
    best, _ = neighbours(ASKED, VECTORS, 10, "dot")
    shares = [len(set(mine) & set(row)) / 10 for mine, row in zip(found.numpy().tolist(), best.tolist(), strict=True)]
    assert measured_recall(index, ASKED, 10) == pytest.approx(np.mean(shares))


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["dot", "cosine", "l2"])
def test_each_distance_reaches_its_recall_with_exact_scores(several: dict[str, ScaNN], distance: str) -> None:
    positions, scores = (part.numpy() for part in several[distance].search_positions(ASKED, 10))
    best, _ = neighbours(ASKED, VECTORS, 10, distance)
    assert recall(positions, best) >= 0.92
    every, exact = neighbours(ASKED, VECTORS, 30_000, distance)
    places = np.argsort(every, axis=1)
    expected = np.take_along_axis(exact, np.take_along_axis(places, positions, axis=1), axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.7, 0.05, 0.0003])
@pytest.mark.parametrize("each", [False, True])
def test_a_mask_never_costs_k(several: dict[str, ScaNN], share: float, each: bool) -> None:
    allow = np.random.default_rng(0).random((20, 30_000) if each else 30_000) < share
    index = several["dot"]
    traced = tf.function(lambda queries, allow: index.search_positions(queries, 15, allow=allow))
    best, _ = neighbours(ASKED[:20], VECTORS, 15, hidden=~np.broadcast_to(allow, (20, 30_000)))
    for positions, _ in (index.search_positions(ASKED[:20], 15, allow=allow), traced(ASKED[:20], tf.constant(allow))):
        assert ((positions.numpy() >= 0) == (best >= 0)).all()
        rows = np.broadcast_to(allow, (20, 30_000))
        assert np.take_along_axis(rows, np.maximum(positions, 0), axis=1)[best >= 0].all()
        assert recall(positions.numpy(), best) >= (0.92 if share == 0.7 else 0.9 if each else 1)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.002])
def test_without_embeddings_a_mask_widens_the_search_until_it_is_filled(share: float) -> None:
    index = ScaNN(0.9, keep_embeddings=False).build(VECTORS)
    allow = np.random.default_rng(0).random(30_000) < share
    positions = index.search_positions(ASKED, 40, allow=allow)[0].numpy()
    best, _ = neighbours(ASKED, VECTORS, 40, hidden=~np.broadcast_to(allow, (100, 30_000)))
    assert ((positions >= 0) == (best >= 0)).all()
    assert allow[positions[positions >= 0]].all()
    assert recall(positions, best) >= 0.85
    assert not [variable for variable in index._resources()[0].variables if variable.shape == (30_000, 32)][1:]
    with pytest.raises(ValueError, match="made with keep_embeddings=False"):
        index.compact()


@pytest.mark.slow
def test_items_added_to_a_large_corpus_are_found_at_once(several: dict[str, ScaNN]) -> None:
    index = ScaNN(0.9, leaves_to_search=20, reorder=100).build(VECTORS, [f"i{i}" for i in range(30_000)])
    search = tf.function(lambda queries: index.search(queries, 3).ids)
    search(ASKED[:4])
    gone = index.search(ASKED[:4], 1).ids.numpy()[:, 0]
    index.delete(np.unique(gone))
    index.upsert(9 * ASKED[:2], ["new", "i77"])
    for found in (search(ASKED[:4]).numpy(), index.search(ASKED[:4], 3).ids.numpy()):
        assert found[:2, 0].tolist() == [b"new", b"i77"]
        assert not set(found.ravel()) & set(gone)
    assert index.compact().size == index.size == 30_000 + 1 - len(set(gone))


@pytest.mark.slow
def test_the_curve_is_told_as_table_and_picture(several: dict[str, ScaNN], small: ScaNN, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    index = several["dot"]
    chosen = index.describe()["leaves_to_search"], index.describe()["reorder"]
    assert chosen in [point[:2] for point in index.curve]
    assert all(1 <= point.leaves_to_search <= 173 and 0 < point.recall <= 1 for point in index.curve)
    speeds = [point.queries_per_second for point in index.curve]
    assert speeds == sorted(speeds, reverse=True)
    report = index.report()
    assert "recall@10" in report
    assert report.count("chosen") == 1
    index.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert small.report() == "500 items are searched exactly.\n"
    with pytest.raises(ValueError, match="no curve to draw"):
        small.plot(tmp_path / "none.png")


@pytest.mark.slow
def test_what_is_given_is_not_tuned() -> None:
    index = ScaNN(0.3, leaves=50, leaves_to_search=7, reorder=33, options={"tree": {"training_iterations": 3}})
    about = index.build(VECTORS).describe()
    assert (about["leaves"], about["leaves_to_search"], about["reorder"]) == (50, 7, 33)
    best, _ = neighbours(ASKED, VECTORS, 10)
    assert abs(about["measured_recall"] - recall(index.search_positions(ASKED, 10)[0].numpy(), best)) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"score_brute_force": {}}, {"score_ah": {"dimensions_per_block": 4}, "reorder": None}, {"tree": None}]
)
def test_options_of_scann_are_taken(options: dict) -> None:
    index = ScaNN(0.5, leaves_to_search=20, reorder=100, options=options).build(VECTORS)
    best, _ = neighbours(ASKED, VECTORS, 10)
    assert recall(index.search_positions(ASKED, 10)[0].numpy(), best) > 0.5


@pytest.mark.slow
def test_a_recall_that_is_not_reached_is_told() -> None:
    with pytest.warns(UserWarning, match=r"ScaNN finds 0\.\d+ of the exact top 10, not the wanted 0.99"):
        ScaNN(0.99, leaves_to_search=1, reorder=10).build(VECTORS)


LOADED = """
import sys
import numpy as np
import scann
import tensorflow as tf
from tfdual.index import Index
held = np.load(sys.argv[3])
index, served = Index.load(sys.argv[1]), tf.saved_model.load(sys.argv[2])
for found in (index.search_positions(held["queries"], 10), served.search(held["queries"], tf.constant(10))):
    assert (found[0].numpy() == held["positions"]).all()
    np.testing.assert_allclose(found[1], held["scores"], rtol=1e-6)
"""


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["dot", "l2"])
def test_saved_and_exported_it_finds_the_same_in_another_process(
    several: dict[str, ScaNN], distance: str, tmp_path: Path
) -> None:
    index = several[distance]
    index.save(tmp_path / "index")
    module = tf.Module()
    module.resources = index.resources
    specs = [tf.TensorSpec([None, 32]), tf.TensorSpec([], tf.int32)]
    module.search = tf.function(lambda queries, k: index.search_positions(queries, k), input_signature=specs)
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, tmp_path / "exported", options=options)
    positions, scores = index.search_positions(ASKED, 10)
    np.savez(tmp_path / "held.npz", queries=ASKED, positions=positions, scores=scores)
    run_alone(LOADED, tmp_path / "index", tmp_path / "exported", tmp_path / "held.npz")
    loaded = Index.load(tmp_path / "index")
    assert isinstance(loaded, ScaNN)
    assert loaded.describe() == index.describe()
    assert loaded.curve == index.curve


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leaves": 0}, "leaves must be at least 1"),
        ({"reorder": 0}, "reorder must be at least 1"),
        ({"options": {"trees": {}}}, r"options are by method of scann's builder.*Received \['trees'\]"),
        ({"options": {"tree": {"soar_lambda": 1.5}}}, "TensorFlow op has no SOAR"),
    ],
)
def test_settings_that_can_not_be_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScaNN(**arguments)


@pytest.mark.slow
def test_tuning_queries_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tuning_queries are finite, of shape \(queries, 32\). Received \(5, 31\)"):
        ScaNN(tuning_queries=np.ones((5, 31))).build(VECTORS)
