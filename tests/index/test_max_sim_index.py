"""Search among items of several vectors: exact by loops, through an index of tokens, and in few bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.index.by_hand import run_alone
from tfdual.index import BruteForce, Index, ScaNN, fresh_items, token_scores, token_store
from tfdual.index.max_sim_index import MaxSimIndex
from tfdual.index.token_candidates import candidate_items

DIM = 16


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype("float32")


def texts(count: int, longest: int, seed: int, topics: int = 30) -> np.ndarray:
    """Tokens around a few topics, with zeros behind those of shorter texts."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(topics, DIM))
    about = centres[rng.integers(0, topics, count)][:, None]
    vectors = about + 0.8 * rng.normal(size=(count, longest, DIM))
    for row, length in enumerate(rng.integers(1, longest + 1, count)):
        vectors[row, length:] = 0
    return unit(vectors)


ITEMS, QUERIES = texts(120, 9, seed=1), texts(7, 5, seed=2)


def scores_by_hand(queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    scores = np.zeros((len(queries), len(items)))
    for i, query in enumerate(queries):
        for j, item in enumerate(items):
            tokens = item[item.any(axis=1)]
            scores[i, j] = sum(max(float(one @ other) for other in tokens) for one in query[query.any(axis=1)])
    return scores


SCORES = scores_by_hand(QUERIES, ITEMS)
ORDER = np.argsort(-SCORES, axis=1, kind="stable")


def best(k: int, hidden: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    scores = SCORES if hidden is None else np.where(hidden, -np.inf, SCORES)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isinf(found), -1, order), found


INDICES: dict[str, Any] = {
    "all": lambda: MaxSimIndex(),
    "tokens": lambda: MaxSimIndex(BruteForce(), candidates=120, neighbours=2_000),
}


@pytest.fixture(scope="module", params=INDICES)
def index(request: pytest.FixtureRequest) -> MaxSimIndex:
    return INDICES[request.param]().build(ITEMS)


@pytest.mark.parametrize("k", [1, 7, 120, 500])
def test_the_best_items_come_first_with_their_sums_of_best_matches(index: MaxSimIndex, k: int) -> None:
    positions, scores = index.search_positions(QUERIES, k)
    np.testing.assert_array_equal(positions, ORDER[:, :k])
    np.testing.assert_allclose(scores, best(k)[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["blocks", "ragged", "padding before and between"])
def test_items_come_as_blocks_of_any_length_and_as_ragged_tensors(form: str) -> None:
    given: Any = [ITEMS[:50], np.pad(ITEMS[50:], [(0, 0), (0, 4), (0, 0)])]
    if form == "ragged":
        lists = [row[row.any(axis=1)] for row in ITEMS[50:]]
        given = iter([tf.RaggedTensor.from_tensor(ITEMS[:50]), tf.ragged.constant(lists, ragged_rank=1)])
    if form == "padding before and between":
        given = np.zeros((120, 20, DIM), "float32")
        given[:, 1:19:2] = ITEMS
    index = MaxSimIndex().build(given)
    np.testing.assert_array_equal(index.search_positions(QUERIES, 20)[0], ORDER[:, :20])
    assert index.describe()["tokens"] == ITEMS.any(axis=2).sum()


def test_blocks_of_tokens_items_and_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_store, "TOKENS_AT_ONCE", 20)
    monkeypatch.setattr(token_scores, "TOKENS_AT_ONCE", 20)
    monkeypatch.setattr(token_scores, "COLUMNS_AT_ONCE", 10)
    hidden = np.random.default_rng(3).random((7, 120)) < 0.5
    for tokens in (None, BruteForce()):
        index = MaxSimIndex(tokens, candidates=120, neighbours=2_000).build(ITEMS)
        for count in (0, 1, 2, 7):
            np.testing.assert_array_equal(index.search_positions(QUERIES[:count], 9)[0], ORDER[:count, :9])
        np.testing.assert_array_equal(index.search_positions(QUERIES, 60, allow=~hidden)[0], best(60, hidden)[0])


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("each", [False, True])
def test_masks_hold_and_cost_no_k(index: MaxSimIndex, share: float, each: bool) -> None:
    allow = np.random.default_rng(4).random((7, 120) if each else 120) < share
    hidden = ~np.broadcast_to(allow, (7, 120))
    for k in (1, 10, 120):
        positions, scores = index.search_positions(QUERIES, k, allow=allow)
        np.testing.assert_array_equal(positions, best(k, hidden)[0])
        np.testing.assert_allclose(scores, best(k, hidden)[1], rtol=1e-5, atol=1e-5)


def test_exclusion_costs_no_k_whatever_the_candidates() -> None:
    index = MaxSimIndex(BruteForce(), candidates=1, neighbours=1).build(ITEMS)
    for k, count in ((30, 60), (20, 100), (3, 1)):
        positions, scores = index.search_positions(QUERIES, k, ORDER[:, :count])
        np.testing.assert_allclose(scores, np.take_along_axis(SCORES, positions.numpy(), axis=1), atol=1e-5)
        assert all(
            len(set(row) - set(gone)) == k for row, gone in zip(positions.numpy(), ORDER[:, :count], strict=True)
        )


def test_few_candidates_have_exact_scores_and_are_mostly_the_best() -> None:
    index = MaxSimIndex(BruteForce(), candidates=20, neighbours=40).build(ITEMS)
    positions, scores = index.search_positions(QUERIES, 5)
    np.testing.assert_allclose(scores, np.take_along_axis(SCORES, positions.numpy(), axis=1), atol=1e-5)
    shared = [len(set(a) & set(b)) for a, b in zip(positions.numpy().tolist(), ORDER[:, :5].tolist(), strict=True)]
    assert sum(shared) >= 30  # of 35


def test_candidates_are_ranked_by_what_was_found_and_the_last_of_what_was_not() -> None:
    # By the first vector item 0 is found twice and item 1 last; by the second items 2 and 1.
    items = tf.constant([[[0, 0, 1], [2, 1, -1]]])
    scores = tf.constant([[[0.9, 0.8, 0.5], [0.7, 0.6, -np.inf]]])
    # 0: .4 above the last; 1: 0 + 0; 2: .1 above the last.
    assert token_candidates_of(items, scores, 3) == [[0, 2, 1]]
    assert token_candidates_of(items, scores, 1) == [[0]]
    assert token_candidates_of(tf.fill([1, 2, 3], -1), tf.fill([1, 2, 3], -np.inf), 2) == [[-1]]


def token_candidates_of(items: tf.Tensor, scores: tf.Tensor, count: int) -> list:
    return candidate_items(items, tf.cast(scores, tf.float32), tf.constant(count)).numpy().tolist()


def test_padding_in_queries_finds_nothing_and_no_token_at_all_scores_0() -> None:
    queries = np.pad(QUERIES[:2], [(0, 0), (2, 3), (0, 0)])
    queries = np.concatenate([queries, np.zeros_like(queries[:1])])
    for make in INDICES.values():
        positions, scores = make().build(ITEMS).search_positions(queries, 5)
        np.testing.assert_array_equal(positions[:2], ORDER[:2, :5])
        assert scores[2].numpy().tolist() == [0] * 5
        assert positions[2].numpy().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "least", "bytes_a_token"),
    [
        ({"dtype": "int8"}, 0.97, DIM + 4),
        ({"dtype": "residual", "bits": 4}, 0.9, DIM / 2 + 4),
        ({"dtype": "residual", "bits": 2}, 0.75, DIM / 4 + 4),
        ({"dtype": "residual", "bits": 1}, 0.6, DIM / 8 + 4),
    ],
)
def test_tokens_in_few_bits_score_nearly_the_same(arguments: dict, least: float, bytes_a_token: float) -> None:
    index = MaxSimIndex(**arguments).build(ITEMS)
    positions, scores = index.search_positions(QUERIES, 10)
    shared = [len(set(a) & set(b)) for a, b in zip(positions.numpy().tolist(), ORDER[:, :10].tolist(), strict=True)]
    assert sum(shared) / 70 >= least
    assert not index.is_exact
    described = index.describe()
    values = 2 ** arguments.get("bits", 0)
    shared = 64 * DIM * 4 + (2 * values - 1) * 4 if arguments["dtype"] == "residual" else 0  # 64 centroids
    assert described["bytes"] == described["tokens"] * bytes_a_token + 121 * 4 + shared
    assert described["bytes_per_item"] == round(described["bytes"] / 120, 1)
    exact = np.take_along_axis(SCORES, positions.numpy(), axis=1)
    assert np.abs(scores - exact).max() < {"int8": 0.05}.get(arguments["dtype"], 1.2)
    with pytest.raises(ValueError, match="can't be built anew"):
        index.compact()


def test_residuals_are_the_nearest_centroid_and_a_value_of_its_bucket() -> None:
    index = MaxSimIndex(dtype="residual", bits=2, centroids=8).build(ITEMS)
    shared = {name: values.numpy() for name, values in index._store._shared.items()}
    tokens = ITEMS[ITEMS.any(axis=2)]
    kept = np.concatenate(list(index._store.rows()))
    for token, row in zip(tokens[::40], kept[::40], strict=True):
        nearest = min(shared["centroids"], key=lambda centroid: np.square(token - centroid).sum())
        left = [shared["values"][int((shared["bounds"] < number).sum())] for number in token - nearest]
        wanted = nearest + left
        np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), rtol=1e-4)


def test_vectors_that_have_no_length_of_1_keep_theirs_in_residuals() -> None:
    index = MaxSimIndex(dtype="residual", bits=4).build(3 * ITEMS)
    lengths = np.linalg.norm(np.concatenate(list(index._store.rows())), axis=1)
    assert 2.8 < lengths.mean() < 3.1


@pytest.mark.parametrize(
    "arguments",
    [{}, {"tokens": True, "candidates": 30, "neighbours": 20}, {"dtype": "int8"}, {"dtype": "residual", "bits": 4}],
)
def test_a_saved_index_finds_the_same(arguments: dict, tmp_path: Path) -> None:
    tokens = BruteForce() if arguments.pop("tokens", False) else None
    index = MaxSimIndex(tokens, **arguments).build(ITEMS, [f"d{number}" for number in range(120)], "space")
    index.delete(["d7"])
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert loaded.describe() == index.describe()
    assert (loaded.space, loaded.size) == ("space", 119)
    for one, other in zip(loaded.search(QUERIES, 9), index.search(QUERIES, 9), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_index_without_the_scales_of_its_residuals_is_refused(tmp_path: Path) -> None:
    MaxSimIndex(dtype="residual").build(ITEMS).save(tmp_path / "index")
    file = tmp_path / "index" / "tokens.npz"
    with np.load(file) as held:
        arrays = {name: held[name] for name in held.files if name != "written_scale"}
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match="damaged"):
        Index.load(tmp_path / "index")


LOADED = """
import sys
import numpy as np
import tensorflow as tf
queries, expected = np.load(sys.argv[2] + "/queries.npy"), np.load(sys.argv[2] + "/expected.npy")
loaded = tf.saved_model.load(sys.argv[1])
for count, k in ((0, 5), (1, 5), (7, 5), (7, 70)):
    found = loaded.search(tf.constant(queries[:count]), tf.constant(k))[0].numpy()
    assert (found == expected[:count, :k]).all()
assert "tfdual" not in sys.modules
"""


def test_a_saved_model_finds_the_same_in_a_process_without_this_library(tmp_path: Path) -> None:
    index = MaxSimIndex(BruteForce(), candidates=120, neighbours=2_000).build(ITEMS[:100])
    module = tf.Module()
    module.resources = index.resources
    specs = [tf.TensorSpec([None, None, DIM]), tf.TensorSpec([], tf.int32)]
    module.search = tf.function(lambda q, k: index.search_positions(q, k), input_signature=specs)
    module.search.get_concrete_function()
    index.upsert(ITEMS[100:], range(100, 120))
    tf.saved_model.save(module, tmp_path / "saved")
    np.save(tmp_path / "queries.npy", QUERIES)
    np.save(tmp_path / "expected.npy", ORDER)
    run_alone(LOADED, tmp_path / "saved", tmp_path)


@pytest.mark.parametrize("kind", INDICES)
def test_items_of_any_length_that_came_later_are_found_kept_and_compacted(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = np.pad(ITEMS, [(0, 0), (0, 5), (0, 0)])
    items[[5, 8, 119]] = texts(3, 14, seed=7)  # longer ones; 5 and 8 are changed
    scores = scores_by_hand(QUERIES, items)
    scores[:, [7, 110]] = -np.inf
    wanted = np.argsort(-scores, axis=1, kind="stable")[:, :118]
    index = INDICES[kind]().build(ITEMS[:100])
    specs = [tf.TensorSpec([None, None, DIM]), tf.TensorSpec([], tf.int32)]
    graph = tf.function(index.search_positions, input_signature=specs, autograph=False)
    graph.get_concrete_function()
    index.delete([7, 8])
    index.upsert(ITEMS[100:119], range(100, 119))
    index.upsert([ITEMS[8:9] + 1, tf.RaggedTensor.from_tensor(items[119:])], [8, 119])
    index.delete([110])
    index.upsert(items[[8, 5]], [8, 5])

    positions, found = graph(QUERIES, 500)
    np.testing.assert_array_equal(positions, wanted)
    np.testing.assert_allclose(found, np.take_along_axis(scores, wanted, axis=1), rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(fresh_items, "SCORES_AT_ONCE", 3_000)  # two queries at a time
    index.save(tmp_path / "index")
    for again in (index, Index.load(tmp_path / "index"), index.compact()):
        np.testing.assert_array_equal(again.ids[again.exact_positions(QUERIES, 500)], wanted)
    assert index.describe()["fresh"] == 21


def test_what_came_later_is_scored_in_float32_beside_tokens_in_few_bits() -> None:
    index = MaxSimIndex(dtype="residual", bits=1).build(ITEMS[:100])
    index.upsert(ITEMS[100:], range(100, 120))
    positions, scores = (part.numpy() for part in index.search_positions(QUERIES, 120))
    later = positions >= 100
    assert later.sum() == 7 * 20
    np.testing.assert_allclose(scores[later], np.take_along_axis(SCORES, positions, axis=1)[later], rtol=1e-5)
    np.testing.assert_array_equal(index.exact_positions(QUERIES, 9), positions[:, :9])
    with pytest.raises(ValueError, match="keeps its tokens as dtype='residual', so that it can't be built anew"):
        index.compact()


def test_what_can_not_be_added_is_refused_and_changes_nothing() -> None:
    index = MaxSimIndex().build(ITEMS)
    for rows, message in [
        (ITEMS[:1, :, :9], "embeddings of width 16. Received 9"),
        (ITEMS[:1] * 0, "Item 0 has no token"),
        (ITEMS[0], r"shape \(items, tokens, dim\)"),
        (ITEMS[:2], "Received 2 embeddings and 1 ids"),
    ]:
        with pytest.raises(ValueError, match=message):
            index.upsert(rows, [500])
    assert index.describe()["fresh"] == 0


def test_scann_finds_the_tokens_in_python_and_in_a_graph() -> None:
    items = texts(4_000, 12, seed=5, topics=400)  # 26,000 tokens, above those that are searched exactly
    queries = texts(20, 5, seed=6, topics=400)
    index = MaxSimIndex(ScaNN(), candidates=100, neighbours=60).build(items)
    assert index.tokens is not None
    wanted = MaxSimIndex().build(items).search_positions(queries, 10)[0].numpy()
    graph = tf.function(lambda asked: index.search_positions(asked, 10)[0])
    for found in (index.search_positions(queries, 10)[0].numpy(), graph(tf.constant(queries)).numpy()):
        shared = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), wanted.tolist(), strict=True)]
        assert np.mean(shared) > 0.9


def test_pairs_are_scored_as_in_a_search() -> None:
    index = MaxSimIndex().build(ITEMS)
    np.testing.assert_allclose(index.pair_scores(QUERIES, ITEMS[:7]), np.diag(SCORES[:, :7]), rtol=1e-5)


def test_it_describes_itself() -> None:
    tokens = int(ITEMS.any(axis=2).sum())
    described = MaxSimIndex(BruteForce()).build(ITEMS).describe()
    assert described["kind"] == "MaxSimIndex"
    assert (described["items"], described["tokens"], described["exact"]) == (120, tokens, False)
    assert described["bytes"] == 4 * tokens * DIM + 4 * 121
    assert described["index_of_tokens"]["items"] == tokens
    assert described["index_of_tokens"]["bytes"] >= 4 * tokens * DIM


@pytest.mark.parametrize("shape", [(3, 4), (3,), (2, 3, 4, 5), (0, 3, 4), (3, 2, 0)])
def test_embeddings_are_items_of_tokens(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs embeddings of shape \(items, tokens, dim\).*Received"):
        MaxSimIndex().build(np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_no_numbers_are_refused_by_item(value: float) -> None:
    embeddings = ITEMS.copy()
    embeddings[70, 0, 3] = value
    with pytest.raises(ValueError, match="embedding of item 70 holds NaN or infinity"):
        MaxSimIndex().build([embeddings[:40], embeddings[40:]])


def test_an_item_without_a_token_is_refused() -> None:
    embeddings = ITEMS.copy()
    embeddings[70] = 0
    with pytest.raises(ValueError, match="Item 70 has no token"):
        MaxSimIndex().build([embeddings[:40], embeddings[40:]])


def test_widths_and_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one width. Received 16, and 15"):
        MaxSimIndex().build([ITEMS, ITEMS[:, :, :15]])
    for ids in (range(119), range(121)):
        with pytest.raises(ValueError, match="Each item needs one id"):
            MaxSimIndex().build(ITEMS, ids=list(ids))
    for queries in (QUERIES[:, 0], QUERIES[:, :, :15]):
        with pytest.raises(ValueError, match="takes queries of shape"):
            MaxSimIndex().build(ITEMS).search(queries, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"neighbours": 0}, "neighbours must be at least 1"),
        ({"dtype": "binary"}, "dtype is one of"),
        ({"bits": 3}, "bits is one of"),
        ({"tokens": MaxSimIndex()}, "one of vectors that is not built yet.*Received a MaxSimIndex"),
        ({"tokens": BruteForce().build(np.eye(3))}, "not built yet.*BruteForce of 3 items"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaxSimIndex(**arguments)
