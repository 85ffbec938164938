"""MinedNegatives: from the ranks asked for, never the own item, within the margin, in graphs and after a refresh."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import DIM, batch, corpus, encoder, table
from tfdual import BruteForce
from tfdual._items import Items
from tfdual.negatives import Batch, Catalogue, MinedNegatives

ITEMS = 40
EMBEDDINGS = table(ITEMS + 1)
IDS = [3, 8, 21, 40]


def search() -> Any:
    return BruteForce().build(EMBEDDINGS[1:]).search_positions


def source(*arguments: Any, **kwargs: Any) -> MinedNegatives:
    return MinedNegatives(*arguments, **kwargs).adapt(corpus(ITEMS), search())


def ranking(query_of: int) -> list[int]:
    """Ids by score, best first."""
    return (np.argsort(-(EMBEDDINGS[1:] @ EMBEDDINGS[query_of])) + 1).tolist()


def step(ids: list[int] | np.ndarray) -> Batch:
    return batch(ids, embeddings=tf.constant(EMBEDDINGS))


def drawn(items: Items, queries: int) -> list[list[int]]:
    """The ids of each query that are not masked."""
    ids, mask = (np.reshape(values, (queries, -1)) for values in (items.ids, items.mask))
    return [row[kept].tolist() for row, kept in zip(ids, mask, strict=True)]


@pytest.mark.parametrize("ranks", [(0, 6), (5, 12)])
def test_they_come_from_the_ranks_asked_for_each_once_and_never_the_own_item(ranks: tuple[int, int]) -> None:
    mined, found = source(3, ranks=ranks, seed=1), [set() for _ in IDS]
    for _ in range(40):
        for row, ids in zip(found, drawn(mined.draw(step(IDS)), len(IDS)), strict=True):
            assert len(set(ids)) == len(ids) == 3
            row |= set(ids)
    assert found == [set(ranking(query)[slice(*ranks)]) - {query} for query in IDS]


def test_all_ranks_but_the_own_item_are_given_where_as_many_are_asked_for() -> None:
    items = source(10, ranks=(0, 10)).draw(step(IDS))
    wanted = [sorted(set(ranking(query)[:10]) - {query}) for query in IDS]
    assert [sorted(row) for row in drawn(items, len(IDS))] == wanted
    np.testing.assert_array_equal(items.embedding, EMBEDDINGS[items.ids])


def test_margin_leaves_out_what_scores_close_to_the_own_item() -> None:
    items = source(ITEMS, ranks=(0, ITEMS), margin=0.5).draw(step(IDS))
    scores = EMBEDDINGS[1:] @ EMBEDDINGS[IDS].T
    wanted = [
        [item + 1 for item in range(ITEMS) if scores[item, row] <= scores[query - 1, row] - 0.5]
        for row, query in enumerate(IDS)
    ]
    assert [sorted(row) for row in drawn(items, len(IDS))] == wanted
    assert any(len(row) < ITEMS - 1 for row in wanted)


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_margin_is_from_the_own_items_score_as_the_search_gives_it_also_before_the_ranks(distance: str) -> None:
    index = BruteForce(distance).build(EMBEDDINGS[1:])
    mined = MinedNegatives(ITEMS - 1, ranks=(1, ITEMS), margin=0.5).adapt(corpus(ITEMS), index.search_positions)
    items, queries = EMBEDDINGS[1:], EMBEDDINGS[IDS]
    cosines = items @ queries.T / np.linalg.norm(items, axis=1)[:, None] / np.linalg.norm(queries, axis=1)
    scores = cosines if distance == "cosine" else -((items[:, None] - queries) ** 2).sum(axis=-1)
    wanted = [(np.flatnonzero(scores[:, row] <= scores[query - 1, row] - 0.5) + 1) for row, query in enumerate(IDS)]
    found = drawn(mined.draw(step(IDS)), len(IDS))
    assert [sorted(row) for row in found] == [row.tolist() for row in wanted]
    assert min(map(len, found)) < ITEMS - 1


def test_an_own_item_that_is_not_found_has_the_score_of_the_model_whose_queries_are_several_vectors() -> None:
    queries = tf.constant([[[1.0, 0], [0, 1]], [[2.0, 0], [0, 0]]])
    own = Items(tf.constant([[3.0, 1], [1, 1]]), tf.constant([31, 32], tf.int64))  # best products: 3 and 2

    def best(query: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(tf.einsum("bvd,bcd->bcv", query, item), axis=2)

    seen = []

    def search(query: tf.Tensor, k: int) -> tuple:
        seen.append(query.shape)
        return np.array([[0, 1, 2]] * 2), np.array([[2.6, 2.4, 1.4]] * 2)

    mined = MinedNegatives(3, ranks=(0, 3), margin=0.5).adapt(corpus(ITEMS), search)
    items = mined.draw(Batch({}, queries, own, encoder(tf.zeros((ITEMS, 2))), best))
    assert [sorted(row) for row in drawn(items, 2)] == [[2, 3], [3]]
    assert seen == [(2, 2, 2)]


def test_fewer_items_than_ranks_are_masked_at_the_end() -> None:
    items = source(60, ranks=(0, 100)).draw(step(IDS))
    assert items.embedding.shape == (240, DIM)
    assert [len(row) for row in drawn(items, len(IDS))] == [ITEMS - 1] * 4


def test_places_that_the_search_leaves_empty_are_masked() -> None:
    def two(query: tf.Tensor, k: int) -> tuple:
        return np.array([[4, 6, -1]]), np.array([[3.0, 2.0, -np.inf]])

    mined = MinedNegatives(3, ranks=(0, 3)).adapt(corpus(ITEMS), two)
    assert sorted(drawn(mined.draw(step([1])), 1)[0]) == [5, 7]


def test_a_gradient_reaches_the_items_and_not_the_search() -> None:
    embeddings = tf.Variable(EMBEDDINGS)
    with tf.GradientTape() as tape:
        items = source(2, ranks=(0, 6), seed=1).draw(batch(IDS, embeddings=embeddings))
        total = tf.reduce_sum(items.embedding)
    gradient = tf.convert_to_tensor(tape.gradient(total, embeddings)).numpy()[:, 0]
    np.testing.assert_array_equal(gradient, np.bincount(items.ids, minlength=ITEMS + 1))


@pytest.mark.parametrize("margin", [None, 0.5])
def test_graph_of_any_batch_size_gives_what_eager_calls_do(margin: float | None) -> None:
    arguments: dict = {"ranks": (2, 9), "margin": margin, "seed": 7}
    traced, eager = source(3, **arguments), source(3, **arguments)

    def draw(ids: tf.Tensor) -> tuple:
        items = traced.draw(step(ids))
        return items.ids, items.mask, items.embedding

    graph = tf.function(draw, input_signature=[tf.TensorSpec([None], tf.int64)])
    for ids in (IDS, IDS[:1], IDS[:0]):
        wanted = eager.draw(step(ids))
        for one, other in zip(graph(np.array(ids, int)), (wanted.ids, wanted.mask, wanted.embedding), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_traced_graph_takes_the_search_and_the_items_that_came_later() -> None:
    catalogue = Catalogue(corpus(ITEMS))
    mined = MinedNegatives(1, ranks=(0, 1)).adapt(catalogue, lambda query, k: ([[10]], [[1.0]]))
    graph = tf.function(lambda: mined.draw(step([1])).ids)
    assert graph().numpy().tolist() == [11]
    mined.adapt(catalogue, lambda query, k: (np.array([[20]]), np.array([[1.0]])))
    assert graph().numpy().tolist() == [21]


def test_it_follows_no_distribution() -> None:
    assert source(1).log_count(np.array([5]), np.array([-1.0]), 3) is None


def test_used_before_adapt_it_says_so() -> None:
    with pytest.raises(ValueError, match="MinedNegatives knows no items yet"):
        MinedNegatives(1).draw(step([1]))


@pytest.mark.parametrize(
    "arguments",
    [{"count": 0}, {"count": 5, "ranks": (0, 4)}, {"count": 1, "ranks": (4, 4)}, {"count": 1, "ranks": (-1, 4)}],
)
def test_ranks_that_hold_fewer_than_count_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="takes at least 1 of the ranks"):
        MinedNegatives(**arguments)


def test_margin_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="margin is a number"):
        MinedNegatives(1, margin=float("nan"))


def test_a_query_that_is_no_number_is_left_to_the_loss_to_tell() -> None:
    one = step(IDS)
    query = tf.concat([one.query[:3], tf.fill([1, DIM], np.nan)], axis=0)
    items = source(2, ranks=(0, 4)).draw(Batch(one.columns, query, one.item, one.encode_item))
    assert items.embedding.shape == (8, DIM)
