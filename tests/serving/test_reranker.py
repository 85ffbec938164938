"""The second stage of a search: the index's candidates in the order of another model's scores, by hand and served."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.serving import Reranker

COUNT, CANDIDATES = 40, 12
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("mood", [Tags.USER], dtype="float32"),
        ColumnSchema("likes", [Tags.USER, Tags.CATEGORICAL], {"domain": {"name": "genre"}}, "string", is_list=True),
        ColumnSchema("book", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("year", [Tags.ITEM], dtype="float32"),
        ColumnSchema("genres", [Tags.ITEM, Tags.CATEGORICAL], {"domain": {"name": "genre"}}, "string", is_list=True),
    ]
)
GENRES = [["drama"], ["drama", "crime"], [], ["poems", "drama", "crime"]]
YEARS = 1980.0 + np.arange(COUNT)
BOOKS = {
    "book": [f"b{i}" for i in range(COUNT)],
    "year": YEARS.tolist(),
    "genres": [GENRES[i % 4] for i in range(COUNT)],
}
QUERIES = {"user": ["ada", "bob", "new"], "mood": [0.5, -1.0, 3.0], "likes": [["crime"], [], ["drama", "unknown"]]}


class PairScore(keras.layers.Layer):
    """Mean genre vectors of both sides, beside two numbers, through a layer that isn't linear."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        seed = keras.initializers.RandomNormal(seed=1)
        self.genres = keras.layers.Embedding(8, 4, embeddings_initializer=seed)
        self.hidden = keras.layers.Dense(6, "tanh", kernel_initializer=seed)
        self.out = keras.layers.Dense(1, kernel_initializer=seed)

    def call(self, columns: dict) -> tf.Tensor:
        vectors = [self.mean(columns["likes"]), self.mean(columns["genres"])]
        numbers = [keras.ops.reshape(columns[name], (-1, 1)) for name in ("mood", "year")]
        return self.out(self.hidden(keras.ops.concatenate([*vectors, *numbers], axis=1)))

    def mean(self, lists: tf.RaggedTensor) -> tf.Tensor:
        vectors = self.genres(lists.to_tensor(0))
        there = tf.sequence_mask(lists.row_lengths(), tf.shape(vectors)[1], tf.float32)[:, :, None]
        return tf.reduce_sum(vectors * there, axis=1) / tf.maximum(tf.reduce_sum(there, axis=1), 1.0)


Trained = tuple[tfdual.TwoTowerModel, tfdual.Preprocessor, tfdual.Rows, keras.Layer]


@pytest.fixture(scope="module")
def trained() -> Trained:
    rows = tfdual.read(
        {
            "user": ["ada", "bob"] * 20,
            "mood": np.linspace(-1, 1, COUNT).tolist(),
            "likes": [GENRES[i % 4] for i in range(COUNT)],
            **BOOKS,
        },
        SCHEMA,
    )
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    keras.utils.set_random_seed(0)
    options = tfdual.EmbeddingOptions(embeddings_initializers="glorot_normal")
    tower = tfdual.MLPBlock([8], no_activation_last_layer=True)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options))
    model.build()
    return model, prep, rows.select(SCHEMA.select_by_tag(Tags.ITEM)), PairScore()


def made(trained: Trained, candidates: int = CANDIDATES) -> Retriever:
    model, prep, items, scorer = trained
    reranker = Reranker(scorer, ["likes", "mood"], ["genres", "year"], candidates)
    return model.to_retriever(items, preprocessor=prep, attributes=["year"], filters=["year"], reranker=reranker)


@pytest.fixture(scope="module")
def both(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    retriever = made(trained)
    folder = tmp_path_factory.mktemp("models") / "books"
    retriever.export(folder)
    return {"made": retriever, "loaded": Retriever.load(folder)}


@pytest.fixture(scope="module")
def scores(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """Of every pair: the towers' scores, and the second model's, a pair at a time."""
    model, prep, items, scorer = trained
    (batch,) = items.batch(COUNT)
    item = prep(batch)
    asked = {name: tf.constant(QUERIES[name]) for name in ("user", "mood")}
    query = prep({**asked, "likes": tf.ragged.constant(QUERIES["likes"], dtype=tf.string)})
    first = model.encode_query(query).numpy() @ model.encode_item(item).numpy().T
    second = np.zeros_like(first)
    for row in range(3):
        for place in range(COUNT):
            pair = {name: query[name][row : row + 1] for name in ("likes", "mood")}
            pair |= {name: item[name][place : place + 1] for name in ("genres", "year")}
            second[row, place] = scorer(pair).numpy().item()
    return first, second


def by_hand(
    scores: tuple[np.ndarray, np.ndarray], k: int, allowed: np.ndarray, candidates: int = CANDIDATES
) -> tuple[list, np.ndarray]:
    """The first stage's best of what is allowed, `(queries, items)`, sorted by the second stage's scores."""
    ids, best = [], np.full((3, k), -np.inf)
    for row, (first, second) in enumerate(zip(*scores, strict=True)):
        found = [place for place in np.argsort(-first) if allowed[row, place]][: max(candidates, k)]
        found = sorted(found, key=lambda place: -second[place])[:k]
        ids.append([f"b{place}" for place in found] + [""] * (k - len(found)))
        best[row, : len(found)] = second[found]
    return ids, best


def require(found: dict[str, np.ndarray], wanted: tuple[list, np.ndarray]) -> None:
    ids, best = wanted
    assert found["id"].tolist() == ids
    np.testing.assert_allclose(found["score"], best, rtol=1e-4, atol=1e-5)
    years = [[1980 + int(name[1:]) if name else np.nan for name in row] for row in ids]
    np.testing.assert_array_equal(found["year"], years)


@pytest.mark.parametrize("which", ["made", "loaded"])
@pytest.mark.parametrize("k", [1, 5, CANDIDATES, 20])
def test_candidates_come_in_the_order_of_the_second_model(
    which: str, k: int, both: dict[str, Retriever], scores: tuple
) -> None:
    everything = np.ones((3, COUNT), bool)
    wanted = by_hand(scores, k, everything)
    assert wanted[0] != by_hand((scores[0], scores[0]), k, everything)[0]
    assert k == 20 or wanted[0] != by_hand(scores, k, everything, COUNT)[0]  # candidates matter
    require(both[which].search(QUERIES, k=k), wanted)


@pytest.mark.parametrize("which", ["made", "loaded"])
def test_what_is_excluded_or_filtered_out_is_no_candidate(
    which: str, both: dict[str, Retriever], scores: tuple
) -> None:
    unseen = by_hand(scores, 3, np.ones((3, COUNT), bool))[0]
    seen = [unseen[0][:2], [], [*unseen[2], "unheard of"]]
    allowed = np.tile(YEARS >= 1990, (3, 1)) & [[f"b{i}" not in row for i in range(COUNT)] for row in seen]
    require(
        both[which].search(QUERIES, k=6, exclude=seen, filter="year >= 1990"),
        by_hand(scores, 6, allowed),
    )


@pytest.mark.parametrize("which", ["made", "loaded"])
def test_fewer_items_than_k_leave_empty_places(which: str, both: dict[str, Retriever], scores: tuple) -> None:
    found = both[which].search(QUERIES, k=15, filter="year >= 2015")
    require(found, by_hand(scores, 15, np.tile(YEARS >= 2015, (3, 1))))
    nothing = both[which].search(QUERIES, k=2, filter="year > 3000")
    assert nothing["id"].tolist() == [["", ""]] * 3


def test_a_corpus_smaller_than_the_candidates_is_scored_whole(trained: Trained, scores: tuple) -> None:
    found = made(trained, candidates=500).search(QUERIES, k=4)
    require(found, by_hand(scores, 4, np.ones((3, COUNT), bool), COUNT))


def test_an_item_added_at_noon_is_scored_by_its_own_columns(trained: Trained, scores: tuple) -> None:
    _, prep, _, scorer = trained
    retriever = made(trained, candidates=COUNT + 1)
    new = {"book": ["fresh", "b0"], "year": [1999.0, 2005.0], "genres": [["poems", "crime"], ["drama"]]}
    retriever.upsert(new)
    found = retriever.search(QUERIES, k=COUNT + 1)
    query = prep(
        {
            "mood": tf.constant(QUERIES["mood"]),
            "user": tf.constant(QUERIES["user"]),
            "likes": tf.ragged.constant(QUERIES["likes"], dtype=tf.string),
        }
    )
    for place, name in enumerate(new["book"]):
        item = prep(
            {
                "book": tf.constant([name] * 3),
                "year": tf.constant(new["year"][place : place + 1] * 3),
                "genres": tf.ragged.constant([new["genres"][place]] * 3, dtype=tf.string),
            }
        )
        wanted = scorer(
            {"likes": query["likes"], "mood": query["mood"], "genres": item["genres"], "year": item["year"]}
        )
        where = [row.index(name) for row in found["id"].tolist()]
        np.testing.assert_allclose(found["score"][range(3), where], wanted.numpy()[:, 0], rtol=1e-4, atol=1e-5)


def test_a_query_is_answered_beside_others_of_larger_k_as_alone(both: dict[str, Retriever], scores: tuple) -> None:
    columns = {name: tf.constant(QUERIES[name]) for name in ("user", "mood")}
    columns["likes"] = tf.constant([["crime", ""], ["", ""], ["drama", "unknown"]])
    options = {"exclude": tf.zeros([1, 0], tf.string), "filter": tf.zeros([1, 0], tf.string)}
    search = both["loaded"].saved_model.signatures["serving_default"]
    found = search(k=tf.constant([3, 30, 5]), **columns, **options)["id"].numpy().astype(str)
    assert found.shape == (3, 30)
    for row, k in enumerate([3, 30, 5]):
        assert found[row].tolist() == by_hand(scores, k, np.ones((3, COUNT), bool))[0][row] + [""] * (30 - k)


def test_a_first_stage_of_ids_is_asked_for_what_the_reranker_reads(trained: Trained) -> None:
    _, prep, items, _ = trained
    towers = tfdual.TwoTowerBlock(
        prep.schema.select_by_name(["user", "book"]), tfdual.MLPBlock([8], no_activation_last_layer=True)
    )
    plain = tfdual.TwoTowerModel(towers)
    by_year = Reranker(lambda columns: columns["mood"] * columns["year"], ["mood"], ["year"], COUNT)
    retriever = plain.to_retriever(items, preprocessor=prep, attributes=["year"], reranker=by_year)
    assert retriever.query_schema.column_names == ["user", "mood"]
    found = retriever.search({"user": ["ada", "ada"], "mood": [1.0, -1.0]}, 2)["year"]
    np.testing.assert_array_equal(found, [[YEARS[-1], YEARS[-2]], [YEARS[0], YEARS[1]]])


def test_another_query_tower_needs_the_columns_that_the_reranker_reads(trained: Trained) -> None:
    model, prep, _, _ = trained
    retriever = made(trained)
    tower = model.to_query_tower(prep)
    narrow = dataclasses.replace(tower, prepare=lambda columns: {"mood": tower.prepare(columns)["mood"]})
    with pytest.raises(ValueError, match="reads the query columns \\['likes'\\], which the query tower lacks"):
        retriever.with_query_tower("b", narrow)


def test_a_model_that_gives_no_score_a_pair_is_refused(trained: Trained) -> None:
    model, prep, items, _ = trained
    two = Reranker(lambda columns: tf.zeros([tf.shape(columns["year"])[0], 2]), ["mood"], ["year"])
    with pytest.raises(ValueError, match="one score a pair.* Of 2 pairs it gave \\(2, 2\\)"):
        model.to_retriever(items, preprocessor=prep, reranker=two)


def test_columns_that_a_side_lacks_are_named(trained: Trained) -> None:
    model, prep, items, scorer = trained
    for query, item, message in (
        (["price"], ["year"], "reads the query column 'price', which isn't made of a column of queries"),
        (["genres"], ["year"], "reads the query column 'genres', which isn't made of"),
        (["mood"], ["price"], "reads the item column 'price'. Model-ready ones are"),
    ):
        with pytest.raises(ValueError, match=message):
            model.to_retriever(items, preprocessor=prep, reranker=Reranker(scorer, query, item))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((["mood"], ["year"], 0), "at least 1 candidate. Received 0"),
        ((["mood"], []), "columns of the item"),
        ((["year"], ["year"]), "of the query others"),
    ],
)
def test_what_a_reranker_takes_is_checked(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reranker(lambda columns: columns["year"], *arguments)


def test_a_score_that_is_no_number_is_the_least(trained: Trained) -> None:
    class Newest(keras.layers.Layer):
        def call(self, columns: dict) -> tf.Tensor:
            return tf.where(columns["year"] > 0, np.nan, columns["year"])  # standardised: 0 is the mean

    model, prep, items, _ = trained
    newest = Reranker(Newest(), ["user"], ["year"], COUNT)
    retriever = model.to_retriever(items, preprocessor=prep, attributes=["year"], reranker=newest)
    mean = YEARS.mean()
    known = sorted((year for year in YEARS if year < mean), reverse=True)
    for k in (5, COUNT):
        found = retriever.search(QUERIES, k=k)
        assert not np.isnan(found["score"]).any()
        for row in found["year"].tolist():
            assert row[: len(known)] == known[:k]
            assert len(set(row)) == k
