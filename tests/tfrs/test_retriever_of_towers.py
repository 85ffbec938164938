from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tests.models.fresh_process import require_equal_answers
from tfdual import BruteForce, ColumnSchema, Schema
from tfdual.tfrs import TrainedTower, retriever_of_towers

TITLES = [f"film {number}" for number in range(20)]
USER = Schema([ColumnSchema("user", dtype="string")])
TITLE = Schema([ColumnSchema("title", dtype="string")])
ITEMS = Schema(
    [
        ColumnSchema("title", dtype="string"),
        ColumnSchema("year"),
        ColumnSchema("genres", dtype="string", is_list=True),
    ]
)
FILMS = {"title": TITLES, "year": list(range(1990, 2010)), "genres": [["Drama"][: i % 2] for i in range(20)]}


class Lookup(tf.Module):
    """Strings by a table, then rows of a matrix."""

    def __init__(self, words: list[str], seed: int, dim: int = 4) -> None:
        super().__init__()
        keys = tf.lookup.KeyValueTensorInitializer(words, tf.range(len(words)))
        self.table = tf.lookup.StaticHashTable(keys, default_value=len(words))
        self.rows = tf.Variable(np.random.default_rng(seed).normal(size=(len(words) + 1, dim)), dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, words: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.rows, self.table.lookup(words))


class TwoColumns(tf.Module):
    """A title's vector, moved along the first axis by the year; with an `if` on a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.titles = Lookup(TITLES, 2)

    def __call__(self, film: dict[str, tf.Tensor]) -> tf.Tensor:
        moved = tf.cast(film["year"] - 2000, tf.float32)
        if tf.reduce_any(film["year"] < 0):
            moved = tf.zeros_like(moved)
        return self.titles(film["title"]) + tf.stack([moved] + [tf.zeros_like(moved)] * 3, axis=1)


@pytest.fixture(scope="module")
def query() -> TrainedTower:
    return TrainedTower(Lookup(["ann", "bob"], 0), USER)


@pytest.fixture(scope="module")
def item() -> TrainedTower:
    return TrainedTower(Lookup(TITLES, 1), TITLE)


@pytest.fixture(scope="module")
def retriever(query: TrainedTower, item: TrainedTower) -> tfdual.Retriever:
    return retriever_of_towers(query, item, FILMS, "title", ITEMS, attributes=["year"], filters=["genres", "year"])


def by_hand(user: int, k: int) -> list[str]:
    rows = [np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32) for seed, n in ((0, 3), (1, 21))]
    return [TITLES[i] for i in np.argsort(-(rows[1][:20] @ rows[0][user]))[:k]]


def test_modules_find_what_their_inner_products_say(retriever: tfdual.Retriever) -> None:
    found = retriever.search({"user": ["bob", "ann", "nobody"]}, k=5)
    assert found["id"].tolist() == [by_hand(1, 5), by_hand(0, 5), by_hand(2, 5)]
    assert retriever.description["parameters"] == (3 + 21) * 4
    assert found["year"][0].tolist() == [1990 + TITLES.index(title) for title in by_hand(1, 5)]


def test_exclusions_filters_pairs_and_embeddings_work_as_of_any_retriever(retriever: tfdual.Retriever) -> None:
    best = by_hand(0, 20)
    found = retriever.search({"user": ["ann"]}, k=3, exclude=[best[:2]])
    assert found["id"].tolist() == [best[2:5]]
    found = retriever.search({"user": ["ann"]}, k=3, filter="year >= 2000 and 'Drama' in genres")
    assert found["id"][0].tolist() == [t for t in best if TITLES.index(t) >= 10 and TITLES.index(t) % 2][:3]
    all_found = retriever.search({"user": ["ann"]}, k=20)
    scores = retriever.score({"user": ["ann"] * 20}, {"title": all_found["id"][0].tolist()})
    np.testing.assert_allclose(scores, all_found["score"][0], atol=1e-6)
    product = retriever.embed_query({"user": ["ann"]}) @ retriever.embed_item({"title": best}).T
    np.testing.assert_allclose(product, all_found["score"], atol=1e-6)


def test_a_new_item_is_found_by_the_trained_item_tower(query: TrainedTower, item: TrainedTower) -> None:
    films = {name: values[:5] for name, values in FILMS.items()}
    retriever = retriever_of_towers(query, item, films, "title", ITEMS, attributes=["year"])
    retriever.upsert({"title": [TITLES[9]], "year": [2030]})
    found = retriever.search({"user": ["ann"]}, k=6)
    assert found["year"][0][found["id"][0].tolist().index(TITLES[9])] == 2030
    assert found["id"].tolist() == [[title for title in by_hand(0, 20) if title in (*TITLES[:5], TITLES[9])]]


@pytest.mark.slow
def test_an_export_answers_the_same_in_a_process_of_its_own(retriever: tfdual.Retriever, tmp_path: Path) -> None:
    require_equal_answers(retriever, tmp_path, {"user": ["bob", "nobody"]}, 7)


@pytest.mark.slow
def test_saved_towers_become_the_same_retriever(
    query: TrainedTower, item: TrainedTower, retriever: tfdual.Retriever, tmp_path: Path
) -> None:
    for name, tower in (("query", query), ("item", item)):
        tf.saved_model.save(tower.tower, str(tmp_path / name))
    loaded = [tf.saved_model.load(str(tmp_path / name)) for name in ("query", "item")]
    mine = retriever_of_towers(TrainedTower(loaded[0], USER), TrainedTower(loaded[1], TITLE), FILMS, "title", ITEMS)
    asked = {"user": ["ann", "bob"]}
    np.testing.assert_array_equal(mine.search(asked)["id"], retriever.search(asked)["id"])
    assert mine.description["embedding_space"] == retriever.description["embedding_space"] != ""
    require_equal_answers(mine, tmp_path / "versions", asked, 4)


@pytest.mark.parametrize("form", ["rows", "dicts", "tensors"])
def test_items_may_be_rows_or_batches(query: TrainedTower, item: TrainedTower, form: str) -> None:
    items = {
        "rows": tfdual.read(FILMS, ITEMS),
        "dicts": tf.data.Dataset.from_tensor_slices({"title": TITLES}).batch(6),
        "tensors": tf.data.Dataset.from_tensor_slices(TITLES).batch(6),
    }[form]
    found = retriever_of_towers(query, item, items, "title").search({"user": ["ann"]}, k=8)
    assert found["id"].tolist() == [by_hand(0, 8)]


def test_a_tower_of_several_columns_takes_a_dict_and_may_branch_on_a_tensor(query: TrainedTower) -> None:
    item = TrainedTower(TwoColumns(), ITEMS.select_by_name(["title", "year"]))
    retriever = retriever_of_towers(query, item, FILMS, "title")
    rows = np.random.default_rng(2).normal(size=(21, 4)).astype(np.float32)[:20]
    rows[:, 0] += np.arange(1990, 2010) - 2000
    np.testing.assert_allclose(retriever.embed_item({"title": TITLES, "year": FILMS["year"]}), rows, atol=1e-6)
    user = retriever.embed_query({"user": ["ann"]})
    assert retriever.search({"user": ["ann"]}, k=20)["id"][0].tolist() == [
        TITLES[i] for i in np.argsort(-(user @ rows.T)[0])
    ]


def test_another_query_tower_joins_by_the_space_of_the_item_tower(
    retriever: tfdual.Retriever, item: TrainedTower
) -> None:
    other = TrainedTower(Lookup(["ann"], 7), USER)
    both = retriever.with_query_tower("b", other.served(item.embedding_space()))
    assert both.search({"user": ["ann"]}, tower="b")["id"].shape == (1, 10)
    with pytest.raises(ValueError, match="scores would mean nothing"):
        retriever.with_query_tower("b", other.served(other.embedding_space()))


def test_a_built_index_of_the_same_tower_is_taken_and_another_refused(query: TrainedTower, item: TrainedTower) -> None:
    embeddings = item.encode({"title": tf.constant(TITLES)}).numpy()
    index = BruteForce().build(embeddings, TITLES, item.embedding_space())
    assert retriever_of_towers(query, item, FILMS, "title", ITEMS, index).search({"user": ["ann"]}, k=3)[
        "id"
    ].tolist() == [by_hand(0, 3)]
    films = {name: values[::-1] for name, values in FILMS.items()}
    with pytest.raises(ValueError, match="another order"):
        retriever_of_towers(query, item, films, "title", ITEMS, index)
    with pytest.raises(ValueError, match="of the space"):
        retriever_of_towers(query, item, FILMS, "title", ITEMS, BruteForce().build(embeddings, TITLES))


def test_without_the_item_tower_nothing_of_it_is_served(query: TrainedTower, item: TrainedTower) -> None:
    retriever = retriever_of_towers(query, item, FILMS, "title", item_tower=False)
    with pytest.raises(ValueError, match="holds no item tower"):
        retriever.embed_item({"title": TITLES[:1]})


def test_widths_that_differ_are_refused_before_an_item_is_read(query: TrainedTower) -> None:
    with pytest.raises(ValueError, match="query tower's have 4, the item tower's 8"):
        retriever_of_towers(query, TrainedTower(Lookup(TITLES, 1, dim=8), TITLE), None, "title")  # type: ignore


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"items": {"title": ["a", "a"]}}, ValueError, "repeats some"),
        ({"items": TITLES}, TypeError, "a dict of arrays"),
        ({"attributes": ["stars"]}, ValueError, r"No schema says what the item columns \['stars'\] are"),
        ({"item_id": "number"}, ValueError, r"No schema says what the item columns \['number'\] are"),
        ({"attributes": ["genres"]}, ValueError, "single-valued"),
        ({"items": tf.data.Dataset.from_tensors({"title": [1, 2]})}, ValueError, "is string .* gives int32"),
        ({"items": tf.data.Dataset.from_tensors({"title": "a"})}, ValueError, "Batch or map it"),
        ({"items": tf.data.Dataset.from_tensors({"name": ["a"]})}, ValueError, "lack the columns"),
        ({"items": tf.data.Dataset.from_tensors(["a"]).take(0)}, ValueError, "at least one item"),
    ],
)
def test_bad_items_are_refused(
    query: TrainedTower, item: TrainedTower, change: dict, error: type[Exception], says: str
) -> None:
    arguments = {"items": FILMS, "item_id": "title", "schema": ITEMS} | change
    with pytest.raises(error, match=says):
        retriever_of_towers(query, item, **arguments)
