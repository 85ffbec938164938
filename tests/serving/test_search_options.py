"""Which items a request leaves out, and which it lets through: by hand, in Python, and from the loaded artefact."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags

SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("mood", [Tags.USER], dtype="float32", properties={"nullable": True}),
        ColumnSchema("book", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("year", [Tags.ITEM], dtype="int64"),
        ColumnSchema("shelf", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("genres", [Tags.ITEM, Tags.CATEGORICAL], dtype="string", is_list=True),
    ]
)
GENRES = [["drama"], ["drama", "crime"], [], ["poems"]]
COUNT = 40
YEARS = 1980 + np.arange(COUNT)
BOOKS = {
    "book": [f"b{i}" for i in range(COUNT)],
    "year": YEARS.tolist(),
    "shelf": [("north", "south", "")[i % 3] for i in range(COUNT)],
    "genres": [GENRES[i % 4] for i in range(COUNT)],
}
QUERIES = {"user": ["ada", "bob", "new"], "mood": [0.5, -1.0, 3.0]}


@pytest.fixture(scope="module")
def trained() -> tuple[tfdual.TwoTowerModel, tfdual.Preprocessor, tfdual.Rows]:
    rows = tfdual.read({"user": ["ada", "bob"] * 20, "mood": np.linspace(-1, 1, COUNT).tolist(), **BOOKS}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    towers = tfdual.TwoTowerBlock(
        prep.schema,
        tfdual.MLPBlock([8], no_activation_last_layer=True),
        embedding_options=tfdual.EmbeddingOptions(embeddings_initializers="glorot_normal"),
    )
    model = tfdual.TwoTowerModel(towers)
    model.build()
    return model, prep, rows.select(SCHEMA.select_by_tag(Tags.ITEM))


def made(trained: tuple, **options: object) -> Retriever:
    model, prep, items = trained
    return model.to_retriever(
        items, preprocessor=prep, attributes=["year"], filters=["year", "shelf", "genres"], **options
    )


@pytest.fixture(scope="module")
def both(trained: tuple, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    """The retriever as it was made, with ScaNN, and loaded from disk."""
    retriever = made(trained)
    folder = tmp_path_factory.mktemp("models") / "books"
    retriever.export(folder)
    scann = made(trained, index=tfdual.ScaNN())
    return {"made": retriever, "loaded": Retriever.load(folder), "scann": scann}


@pytest.fixture(scope="module")
def ranked(trained: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Item numbers of the whole corpus, best first, and their scores: towers called directly, ranked by NumPy."""
    model, prep, items = trained
    (batch,) = items.batch(COUNT)
    query = model.encode_query(prep({name: tf.constant(values) for name, values in QUERIES.items()})).numpy()
    scores = query @ model.encode_item(prep(batch)).numpy().T
    order = np.argsort(-scores, axis=1)
    return order, np.take_along_axis(scores, order, axis=1)


FILTERS = {
    "year >= 2000": YEARS >= 2000,
    "1990 <= year < 2000 and shelf == 'north'": (YEARS >= 1990) & (YEARS < 2000) & (np.arange(COUNT) % 3 == 0),
    "'drama' in genres and not 'crime' in genres": np.arange(COUNT) % 4 == 0,
    "shelf in ['north', ''] or year == 1981": (np.arange(COUNT) % 3 != 1) | (YEARS == 1981),
    "year > 3000": np.zeros(COUNT, bool),
}


def names(numbers: list[int], k: int) -> list[str]:
    """Books of these numbers, and empty places up to `k`."""
    return [f"b{number}" for number in numbers[:k]] + [""] * (k - len(numbers))


@pytest.mark.parametrize("which", ["made", "loaded", "scann"])
@pytest.mark.parametrize("expression", FILTERS)
def test_a_filter_leaves_what_it_says_and_k_items_of_it(
    which: str, expression: str, both: dict[str, Retriever], ranked: tuple
) -> None:
    found = both[which].search(QUERIES, k=12, filter=expression)
    order, _ = ranked
    for row, numbers in enumerate(order):
        left = [number for number in numbers.tolist() if FILTERS[expression][number]]
        assert found["id"][row].tolist() == names(left, 12)
        assert found["year"][row].tolist() == [1980 + number for number in left[:12]] + [-1] * (12 - len(left))
        assert (found["score"][row][len(left) :] == -np.inf).all()


@pytest.mark.parametrize("which", ["made", "loaded", "scann"])
def test_each_query_has_a_filter_and_exclusions_of_its_own(
    which: str, both: dict[str, Retriever], ranked: tuple
) -> None:
    expressions = ["year >= 2000", "shelf == 'south'", "year >= 1980"]
    masks = [YEARS >= 2000, np.arange(COUNT) % 3 == 1, YEARS >= 1980]
    order, _ = ranked
    kept = [[n for n in row.tolist() if mask[n]] for row, mask in zip(order, masks, strict=True)]
    seen = [[f"b{kept[0][0]}", "unheard of"], [], [f"b{n}" for n in kept[2][1:4]]]
    found = both[which].search(QUERIES, k=5, exclude=seen, filter=expressions)
    for row, numbers in enumerate(kept):
        assert found["id"][row].tolist() == names([n for n in numbers if f"b{n}" not in seen[row]], 5)


@pytest.mark.parametrize("which", ["made", "loaded", "scann"])
def test_excluding_everything_leaves_nothing_and_says_so(which: str, both: dict[str, Retriever]) -> None:
    found = both[which].search(QUERIES, k=3, exclude=[BOOKS["book"]] * 3)
    assert found["id"].tolist() == [["", "", ""]] * 3
    assert (found["score"] == -np.inf).all()


@pytest.mark.parametrize("which", ["made", "loaded"])
def test_a_nullable_column_may_be_left_out(which: str, both: dict[str, Retriever]) -> None:
    users = {"user": QUERIES["user"]}
    left_out = both[which].search(users, k=4)
    missing = both[which].search(users | {"mood": [float("nan")] * 3}, k=4)
    assert left_out["id"].tolist() == missing["id"].tolist()
    with pytest.raises(ValueError, match="lacks the columns \\['user'\\]"):
        both[which].search({"mood": [0.5]})


def test_the_artefact_takes_a_k_for_each_query_and_tells_its_defaults(both: dict[str, Retriever]) -> None:
    search = both["loaded"].saved_model.signatures["serving_default"]
    columns = {"user": tf.constant(QUERIES["user"]), "mood": tf.constant([np.nan])}
    options = {"exclude": tf.zeros([1, 0], tf.string), "filter": tf.zeros([1, 0], tf.string)}
    found = search(k=tf.constant([2, 4, 1]), **columns, **options)
    assert (found["id"].numpy() != b"").sum(axis=1).tolist() == [2, 4, 1]
    empty = {"user": tf.zeros([0], tf.string), "mood": tf.zeros([0])}
    assert search(k=tf.constant([3]), **empty, **options)["id"].shape[0] == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="k is at least 1"):
        search(k=tf.constant([0]), **columns, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Each input holds one row a query"):
        search(k=tf.constant([2, 4]), **columns, **options)


def test_wrong_options_are_named(both: dict[str, Retriever]) -> None:
    retriever = both["loaded"]
    for options, message in (
        ({"k": 0}, "k is at least 1. Received 0"),
        ({"filter": "price < 3"}, "The column 'price' can't be filtered"),
        ({"filter": "year >"}, "can't be read"),
        ({"filter": "year == 'old'"}, "of int64"),
        ({"filter": ["year > 3", None, "year > 3"]}, "A filter is a string, such as .* Received None"),
        ({"filter": 3}, "A filter is a string, .* Received 3"),
        ({"filter": b"year > 3"}, "A filter is a string, .* Received b'year > 3'"),
        ({"filter": "not " * 3000 + "year == 3"}, "nested too deeply"),
        ({"exclude": "b1"}, "`exclude` takes a list of string ids for each query"),
        ({"exclude": [[1, 2]] * 3}, "`exclude` takes a list of string ids"),
        ({"tower": "b"}, "no query tower 'b'. There are \\['default'\\]"),
    ):
        with pytest.raises(ValueError, match=message):
            retriever.search(QUERIES, **options)


@pytest.mark.parametrize("which", ["made", "loaded"])
@pytest.mark.parametrize("count", [0, 2, 4])
def test_lists_and_filters_are_one_or_one_a_query(which: str, count: int, both: dict[str, Retriever]) -> None:
    left_out = {"user": QUERIES["user"]}
    for name, option, what in (
        ("exclude", [["b1"]] * count, "list of ids"),
        ("exclude", tf.fill([count, 2], "b1"), "list of ids"),
        ("filter", ["year > 1990"] * count, "expression"),
    ):
        message = f"`{name}` takes one {what} for all queries, or one for each query. Received {count}, .* is 3"
        for queries in (QUERIES, left_out):
            with pytest.raises(ValueError, match=message):
                both[which].search(queries, **{name: option})
    one = {name: values[:1] for name, values in QUERIES.items()}
    if count:
        with pytest.raises(ValueError, match=f"Received {count}, and the number of queries is 1"):
            both[which].search(one, exclude=[["b1"]] * count)


@pytest.mark.parametrize("which", ["made", "loaded"])
def test_one_list_and_one_filter_hold_for_all_queries(which: str, both: dict[str, Retriever], ranked: tuple) -> None:
    order, _ = ranked
    hidden = order[0, :2].tolist()
    found = both[which].search(QUERIES, k=5, exclude=[[f"b{n}" for n in hidden]], filter=["year >= 1990"])
    for row, numbers in enumerate(order):
        left = [n for n in numbers.tolist() if YEARS[n] >= 1990 and n not in hidden]
        assert found["id"][row].tolist() == names(left, 5)
    none = {name: values[:0] for name, values in QUERIES.items()}
    assert both[which].search(none, exclude=[["b1"]], filter="year >= 1990")["id"].shape[0] == 0
    assert both[which].search(none, exclude=[], filter=[])["id"].shape[0] == 0


@pytest.mark.parametrize("k", [np.int64(4), np.array(4), tf.constant(4)])
def test_k_is_any_integer(k: object, both: dict[str, Retriever], ranked: tuple) -> None:
    found = both["loaded"].search(QUERIES, k=k)
    assert found["id"].tolist() == [names(numbers.tolist(), 4) for numbers in ranked[0]]


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (2**32 + 1, "k is at most 2147483647. Received 4294967297"),
        (np.int64(2**31), "k is at most 2147483647. Received 2147483648"),
        (np.int64(-(2**32) + 1), "k is at least 1. Received -4294967295"),
        (2.9, "k is an integer. Received 2.9"),
        (True, "k is an integer. Received True"),
        ("5", "k is an integer. Received '5'"),
    ],
)
def test_a_k_that_is_none_is_refused(k: object, message: str, both: dict[str, Retriever]) -> None:
    with pytest.raises(ValueError, match=message):
        both["loaded"].search(QUERIES, k=k)


def test_columns_to_filter_by_are_of_the_items(trained: tuple) -> None:
    model, prep, items = trained
    with pytest.raises(ValueError, match="can't be filtered by 'price'"):
        model.to_retriever(items, preprocessor=prep, filters=["price"])


def test_pairs_are_scored_as_a_search_scores_them(both: dict[str, Retriever], ranked: tuple) -> None:
    order, scores = ranked
    for retriever in (both["made"], both["loaded"]):
        best = {name: [values[number] for number in order[:, 0]] for name, values in BOOKS.items() if name != "book"}
        best["book"] = [f"b{number}" for number in order[:, 0]]
        np.testing.assert_allclose(retriever.score(QUERIES, best), scores[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            np.sum(retriever.embed_query(QUERIES) * retriever.embed_item(best), axis=1), scores[:, 0], atol=1e-5
        )


def test_an_item_added_at_noon_is_found_at_noon_and_exported(trained: tuple, tmp_path: Path) -> None:
    retriever = made(trained)
    new = {"book": ["b3", "fresh"], "year": [3001, 3000], "shelf": ["north", "south"], "genres": [["noon"], []]}
    retriever.upsert(new)
    retriever.delete(["b0"])
    retriever.export(tmp_path / "books")
    for one in (retriever, Retriever.load(tmp_path / "books")):
        found = one.search(QUERIES, k=5, filter="year >= 3000")
        assert [sorted(row) for row in found["id"].tolist()] == [["", "", "", "b3", "fresh"]] * 3
        assert {pair for row in range(3) for pair in zip(found["id"][row], found["year"][row], strict=True)} == {
            ("b3", 3001),
            ("fresh", 3000),
            ("", -1),
        }
        assert one.search(QUERIES, k=5, filter="'noon' in genres")["id"][:, 0].tolist() == ["b3"] * 3
        assert "b0" not in one.search(QUERIES, k=COUNT)["id"]
    wanted = retriever.score({name: values[:1] for name, values in QUERIES.items()}, {n: v[1:] for n, v in new.items()})
    found = retriever.search(QUERIES, k=1, filter="year == 3000")
    np.testing.assert_allclose(found["score"][0], wanted, rtol=1e-5, atol=1e-6)


def test_searches_before_a_change_don_t_hide_it(trained: tuple) -> None:
    retriever = made(trained)

    def of_the_year(year: int) -> list[str]:
        return retriever.search(QUERIES, k=1, filter=f"year == {year}")["id"][:, 0].tolist()

    assert of_the_year(3000) == [""] * 3
    retriever.upsert({"book": ["b3"], "year": [3000], "shelf": ["north"], "genres": [[]]})
    assert of_the_year(3000) == ["b3"] * 3
    retriever.upsert({"book": ["fresh"], "year": [3001], "shelf": ["north"], "genres": [[]]})
    assert of_the_year(3001) == ["fresh"] * 3
    retriever.delete(["fresh", "b3", "b4"])
    assert of_the_year(3000) == of_the_year(3001) == of_the_year(1984) == [""] * 3
    assert set(retriever.search(QUERIES, k=COUNT)["id"][0]) == {f"b{n}" for n in range(COUNT)} - {"b3", "b4"}


def test_a_loaded_retriever_is_not_changed(both: dict[str, Retriever]) -> None:
    with pytest.raises(ValueError, match="A loaded retriever is not changed"):
        both["loaded"].delete(["b1"])
    with pytest.raises(ValueError, match="A loaded retriever is not changed"):
        both["loaded"].upsert({name: values[:1] for name, values in BOOKS.items()})


def test_without_the_item_tower_pairs_are_not_scored(trained: tuple) -> None:
    retriever = made(trained, item_tower=False)
    assert retriever.search(QUERIES)["id"].shape == (3, 10)
    with pytest.raises(ValueError, match="holds no item tower"):
        retriever.embed_item({name: values[:1] for name, values in BOOKS.items()})


def test_an_attribute_that_the_model_doesn_t_know_is_served_and_changed_too(trained: tuple) -> None:
    model, prep, items = trained
    table = items.to_arrow().append_column("title", [[f"Title {i}" for i in range(COUNT)]])
    schema = items.schema + Schema([ColumnSchema("title", [Tags.ITEM], dtype="string")])
    retriever = model.to_retriever(tfdual.read(table, schema), preprocessor=prep, attributes=["title"])
    new = {name: values[:1] for name, values in BOOKS.items()} | {"title": ["Noon"]}
    retriever.upsert(new)
    found = retriever.search(QUERIES, k=COUNT)
    assert found["title"][found["id"] == "b0"].tolist() == ["Noon"] * 3
    assert found["title"][found["id"] == "b7"].tolist() == ["Title 7"] * 3
