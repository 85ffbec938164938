"""Two lists made one, by hand: what is found, excluded and filtered, saved and evaluated."""

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.evaluation import EvaluationOptions, evaluate_rankings, evaluate_retriever
from tfdual.ranking import BM25, ReciprocalRank, WeightedScores, choose_weight, weighted_fusion
from tfdual.serving.hybrid_retriever import HybridRetriever

pytest.importorskip("bm25s")
pytest.importorskip("Stemmer")

COUNT = 30
FRUITS = ["apple", "pear", "plum", "fig", "kiwi", "lemon", "grape"]
TEXTS = [" ".join(FRUITS[(place * step) % 7] for step in range(1, 2 + place % 4)) for place in range(COUNT)]
IDS = [f"dø{place}" for place in range(COUNT)]
ITEMS = {"doc": IDS, "year": (1990 + np.arange(COUNT)).tolist(), "title": [text.upper() for text in TEXTS]}
QUERIES = {"user": ["ada", "bob", "new"], "claim": ["pears and figs", "", "lemon apple zebra"]}
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("claim", [Tags.USER, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("doc", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("year", [Tags.ITEM, Tags.CONTINUOUS]),
        ColumnSchema("title", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
    ]
)


@dataclasses.dataclass
class Trained:
    """An untrained model: its random weights rank items as well as any."""

    model: tfdual.TwoTowerModel
    prep: tfdual.Preprocessor
    items: tfdual.Rows

    def retriever(self, attributes: tuple[str, ...] = ("year", "title")) -> Retriever:
        return self.model.to_retriever(
            self.items, tfdual.BruteForce(), self.prep, attributes=attributes, filters=["year"]
        )


@pytest.fixture(scope="module")
def trained() -> Trained:
    keras.utils.set_random_seed(0)
    users = [QUERIES["user"][place % 2] for place in range(COUNT)]
    rows = tfdual.read({"user": users, "claim": TEXTS, **ITEMS}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    options = tfdual.EmbeddingOptions(embeddings_initializers="glorot_normal", embedding_dim_default=8)
    tower = tfdual.MLPBlock([8], no_activation_last_layer=True)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options))
    model.build()
    return Trained(model, prep, rows.select(SCHEMA.select_by_tag(Tags.ITEM)))


@pytest.fixture(scope="module")
def dense(trained: Trained) -> Retriever:
    return trained.retriever()


@pytest.fixture(scope="module")
def words() -> BM25:
    return BM25().build(TEXTS, IDS)


@pytest.fixture(scope="module")
def hybrid(dense: Retriever, words: BM25) -> HybridRetriever:
    return HybridRetriever(dense, words, "claim", depth=8)


@pytest.fixture(scope="module")
def saved(hybrid: HybridRetriever, tmp_path_factory: pytest.TempPathFactory) -> Path:
    fusion = WeightedScores([0.25, 0.75], "z-score")
    return hybrid.with_fusion(fusion).save(tmp_path_factory.mktemp("saved") / "deep" / "hybrid")


@pytest.fixture(scope="module")
def loaded(saved: Path) -> HybridRetriever:
    return HybridRetriever.load(saved)


def fused_by_hand(lists: list[list[str]], k: int) -> list[str]:
    """Reciprocal ranks; equal sums in the order of the first list, then of the second."""
    sums: dict[str, float] = {}
    for ranked in lists:
        for rank, item in enumerate(ranked, 1):
            sums[item] = sums.get(item, 0.0) + 1 / (60 + rank)
    return sorted(sums, key=lambda item: -sums[item])[:k]  # a dict is in order of first sight, sorted is stable


def lists_by_hand(
    dense: Retriever, words: BM25, row: int, allowed: set[str], depth: int, claims: list[str] | None = None
) -> list[list[str]]:
    """The first of both lists that may be found, out of all items."""
    one = {name: values[row : row + 1] for name, values in QUERIES.items()}
    by_vector = dense.search(one, COUNT)["id"][0].tolist()
    by_word = words.search([(claims or QUERIES["claim"])[row]], COUNT).ids[0].tolist()
    return [[item for item in ranked if item in allowed][:depth] for ranked in (by_vector, by_word)]


@pytest.mark.parametrize("k", [1, 5, 12, 100])
def test_both_lists_are_fused(k: int, dense: Retriever, words: BM25, hybrid: HybridRetriever) -> None:
    found = hybrid.search(QUERIES, k)
    assert set(found) == {"id", "score", "year", "title"}
    for row in range(3):
        lists = lists_by_hand(dense, words, row, set(IDS), max(8, k))
        expected = fused_by_hand(lists, min(k, COUNT))
        assert found["id"][row].tolist() == expected + [""] * (min(k, COUNT) - len(expected))
    assert (np.diff(found["score"], axis=1) < 0).all()
    assert found["score"].dtype == np.float32


def test_attributes_are_those_of_the_items_found(hybrid: HybridRetriever) -> None:
    found = hybrid.search(QUERIES, k=16)
    alone = set(found["id"][0]) - set(hybrid.dense.search(QUERIES, 8)["id"][0])
    assert alone  # items that the words alone find
    for row in range(3):
        places = [IDS.index(item) for item in found["id"][row] if item]
        assert found["year"][row].tolist() == [1990 + place for place in places] + [-1] * (16 - len(places))
        assert found["title"][row].tolist() == [TEXTS[place].upper() for place in places] + [""] * (16 - len(places))


def test_no_query_gives_no_row(hybrid: HybridRetriever) -> None:
    found = hybrid.search({"user": [], "claim": []}, k=4)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(found, (0, 4))


def test_only_the_filters_asked_for_last_are_kept(dense: Retriever, words: BM25) -> None:
    hybrid = HybridRetriever(dense, words, "claim")
    for year in [*range(1990, 2030), 1995]:
        found = hybrid.search(QUERIES, COUNT, filter=f"year == {year}")["year"]
        assert set(found.ravel().tolist()) <= {year, -1}
    assert len(hybrid._masks) == 32


@pytest.mark.parametrize("as_tensor", [False, True])
def test_what_is_excluded_takes_no_place(
    as_tensor: bool, dense: Retriever, words: BM25, hybrid: HybridRetriever
) -> None:
    seen = [IDS[:9], [], [IDS[3], "unknown"]]
    given = tf.ragged.constant(seen).to_tensor("") if as_tensor else seen
    found = hybrid.search(QUERIES, 5, exclude=given)["id"]
    for row in range(3):
        lists = lists_by_hand(dense, words, row, set(IDS) - set(seen[row]), 8)
        assert found[row].tolist() == fused_by_hand(lists, 5)


@pytest.mark.parametrize("each", [False, True])
def test_a_filter_holds_for_both_lists(each: bool, dense: Retriever, words: BM25, hybrid: HybridRetriever) -> None:
    bounds = [2000, 1994, 2000] if each else [1994] * 3
    filters = [f"year < {bound}" for bound in bounds]
    found = hybrid.search(QUERIES, 12, exclude=[[], [IDS[0]], []], filter=filters if each else filters[0])
    for row, bound in enumerate(bounds):
        allowed = set(IDS[: bound - 1990]) - ({IDS[0]} if row == 1 else set())
        expected = fused_by_hand(lists_by_hand(dense, words, row, allowed, 12), 12)
        assert found["id"][row].tolist() == expected + [""] * (12 - len(expected))
        assert found["score"][row, len(expected) :].tolist() == [-math.inf] * (12 - len(expected))
        assert (found["year"][row, len(expected) :] == -1).all()


def test_the_words_may_be_in_columns_of_their_own(dense: Retriever, words: BM25, hybrid: HybridRetriever) -> None:
    both = HybridRetriever(dense, words, ("title", "tags"), depth=8)
    assert both.query_schema.column_names == ["user", "claim", "title", "tags"]
    assert hybrid.query_schema.column_names == ["user", "claim"]
    assert both.query_schemas == {"default": both.query_schema}
    tags = [["fig"], [], ["apple", "zebra"]]
    expected = hybrid.search(QUERIES | {"claim": ["pear fig", "", "lemon apple zebra"]})["id"]
    queries = QUERIES | {"claim": ["pear fig", "", "lemon apple zebra"], "title": np.array(["pear", "", "lemon"])}
    for given in (tags, tf.ragged.constant(tags, dtype=tf.string), [("fig",), None, ["apple", b"zebra"]]):
        np.testing.assert_array_equal(both.search(queries | {"tags": given})["id"], expected)
    as_tensor = {name: tf.constant(values) for name, values in QUERIES.items()}
    np.testing.assert_array_equal(hybrid.search(as_tensor)["id"], hybrid.search(QUERIES)["id"])


def test_scores_are_fused_with_chosen_weights(hybrid: HybridRetriever) -> None:
    lists = hybrid.lists(QUERIES, 20)
    assert [part.ids.shape for part in lists] == [(3, 20), (3, 20)]
    assert [part.ids.shape for part in hybrid.lists(QUERIES)] == [(3, 8), (3, 8)]
    weights = choose_weight(*lists, [[IDS[1]], [IDS[2]], [IDS[5]]]).weights
    fusion = WeightedScores(weights, minimums=[None, 0.0])
    found = hybrid.with_fusion(fusion).search(QUERIES, 6)
    expected = weighted_fusion(hybrid.lists(QUERIES), weights, minimums=[None, 0.0], depth=6)
    np.testing.assert_array_equal(found["id"], expected.ids)
    np.testing.assert_allclose(found["score"], expected.scores, rtol=1e-5)
    assert hybrid.fusion == ReciprocalRank()


def test_items_of_one_half_alone(dense: Retriever) -> None:
    words = BM25().build([*TEXTS[:20], "apple pear", "fig"], [*IDS[:20], "deleted 1", "deleted 2"])
    with pytest.raises(ValueError, match=r"lacks 10 of .* 30 items, such as 'dø20', and holds 2 others, such as"):
        HybridRetriever(dense, words, "claim")
    hybrid = HybridRetriever(dense, words, "claim", depth=8, same_items=False)
    assert hybrid.description["hybrid"]["only_dense"] == 10
    assert hybrid.description["hybrid"]["only_lexical"] == 2
    for options in ({}, {"filter": "year >= 1990"}):
        found = hybrid.search(QUERIES, 5, **options)["id"]
        for row in range(3):
            lists = lists_by_hand(dense, words, row, set(IDS), 8)
            assert found[row].tolist() == fused_by_hand(lists, 5)
    assert set(hybrid.search(QUERIES, COUNT)["id"][1]) == set(IDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (BM25(), "built before"),
        (BM25().build(TEXTS), "ids are string, BM25's int64"),
        (BM25().build(TEXTS, [f"other {place}" for place in range(COUNT)]), "such as 'other 0', is one of the dense"),
    ],
)
def test_a_bm25_of_other_items_is_refused(words: BM25, message: str, dense: Retriever) -> None:
    with pytest.raises(ValueError, match=message):
        HybridRetriever(dense, words, "claim", same_items=False)


def test_a_changed_dense_half_is_refused(trained: Trained, words: BM25) -> None:
    dense = trained.retriever(())
    hybrid = HybridRetriever(dense, words, "claim")
    assert set(hybrid.search(QUERIES, 2)) == {"id", "score"}  # no attributes
    dense.delete([IDS[0]])
    with pytest.raises(ValueError, match="was changed since"):
        hybrid.search(QUERIES)
    with pytest.raises(ValueError, match="was changed since"):
        hybrid.save("nowhere")
    anew = HybridRetriever(dense, words, "claim", same_items=False)
    assert IDS[0] not in anew.search(QUERIES, COUNT)["id"]
    assert anew.search(QUERIES, COUNT)["id"].shape == (3, COUNT - 1)


@pytest.mark.parametrize("by", ["itself", "a retriever of another tower"])
def test_a_change_that_leaves_the_counts_as_they_were_is_refused_too(by: str, trained: Trained, words: BM25) -> None:
    dense = trained.retriever()
    changing = dense if by == "itself" else dense.with_query_tower("b", trained.model.to_query_tower(trained.prep))
    item = {name: values[:1] for name, values in ITEMS.items()}
    changing.upsert(item)
    hybrid = HybridRetriever(dense, words, "claim")
    before = dense.description["index"]
    assert len(hybrid.search(QUERIES, filter="year == 2050")["id"].nonzero()[0]) == 0
    changing.upsert(item | {"year": [2050]})
    assert dense.description["index"] == before
    with pytest.raises(ValueError, match="was changed since"):
        hybrid.search(QUERIES, filter="year == 2050")


@pytest.mark.parametrize("options", [{}, {"exclude": [[IDS[1]], [], []], "filter": "year > 1995"}], ids=["all", "some"])
def test_what_is_saved_answers_the_same(options: dict, hybrid: HybridRetriever, loaded: HybridRetriever) -> None:
    made = hybrid.with_fusion(WeightedScores([0.25, 0.75], "z-score"))
    expected, found = made.search(QUERIES, 9, **options), loaded.search(QUERIES, 9, **options)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found.pop("score"), expected.pop("score"), rtol=1e-4)
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
    assert loaded.description["hybrid"] == made.description["hybrid"]


def test_a_folder_holds_both_halves_and_is_not_written_over(saved: Path, hybrid: HybridRetriever) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["dense", "hybrid.json", "lexical"]
    assert [path.name for path in saved.parent.iterdir()] == ["hybrid"]
    assert (saved / "dense" / "1" / "saved_model.pb").is_file()
    with pytest.raises(FileExistsError, match="there already"):
        hybrid.save(saved)


def test_a_loaded_half_is_copied(saved: Path, loaded: HybridRetriever, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Pass dense=\.\.\."):
        loaded.save(tmp_path / "hybrid")
    loaded.save(tmp_path / "hybrid", dense=saved / "dense")
    files = [
        sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        for folder in (saved, tmp_path / "hybrid")
    ]
    assert files[0] == files[1]
    again = HybridRetriever.load(tmp_path / "hybrid")
    np.testing.assert_array_equal(again.search(QUERIES)["id"], loaded.search(QUERIES)["id"])


def test_a_copy_of_another_model_is_refused(
    saved: Path, loaded: HybridRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.dense, "_description", loaded.dense.description | {"parameters": 1})
    with pytest.raises(ValueError, match="another model"):
        loaded.save(tmp_path / "new" / "hybrid", dense=saved / "dense")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_folder_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        HybridRetriever.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no saved hybrid"):
        HybridRetriever.load(tmp_path)
    content = (saved / "hybrid.json").read_text()
    (tmp_path / "hybrid.json").write_text(content.replace("WeightedScores", "Borda"))
    with pytest.raises(ValueError, match="damaged: Lists are fused by"):
        HybridRetriever.load(tmp_path)


def test_dense_words_and_both_are_compared(dense: Retriever, words: BM25, hybrid: HybridRetriever) -> None:
    lists = Schema([ColumnSchema(name, dtype="string", is_list=True) for name in ("right", "seen")])
    columns = QUERIES | {"right": [["dø3", "dø9"], ["dø2"], ["dø6"]], "seen": [["dø1"], [], ["dø4", "dø5"]]}
    queries = tfdual.read(columns, SCHEMA.select_by_name(["user", "claim"]) + lists)
    options = EvaluationOptions(bootstrap=0)
    by_vector = evaluate_retriever(dense, queries, (3,), "right", options=options)
    by_word = evaluate_rankings(
        words.search(QUERIES["claim"], 4).ids, queries, words.ids, "right", (3,), options=options
    )
    both = evaluate_retriever(hybrid, queries, (3,), "right", options=options)
    assert both.compare(by_vector).keys() == by_word.compare(by_vector).keys()
    unseen = evaluate_retriever(hybrid, queries, (3,), "right", "seen", options=options)
    found = hybrid.search(QUERIES, 4, exclude=columns["seen"])["id"]
    assert unseen == pytest.approx(evaluate_rankings(found, queries, words.ids, "right", (3,), "seen", options=options))
    by_hand = [fused_by_hand(lists_by_hand(dense, words, row, set(IDS), 8), 3) for row in range(3)]
    hits = [any(item in right for item in row) for row, right in zip(by_hand, columns["right"], strict=True)]
    assert both["hit_rate@3"] == pytest.approx(np.mean(hits))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k is at least 1"),
        ({"queries": {"claim": ["x"]}}, r"lacks the columns \['user'\]"),
        ({"queries": QUERIES | {"other": [1, 2, 3]}}, r"doesn't know the columns \['other'\]"),
        ({"tower": "b"}, "no query tower 'b'"),
        ({"filter": "pages > 3"}, "can't be filtered"),
        ({"exclude": [[1], [2], [3]]}, "`exclude` takes a list of string ids"),
    ],
)
def test_a_bad_search_is_refused(arguments: dict, message: str, hybrid: HybridRetriever) -> None:
    with pytest.raises(ValueError, match=message):
        hybrid.search(**{"queries": QUERIES, **arguments})


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (None, "lacks the text column 'words'"),
        ([1, 2, 3], "Received 1"),
        ("fig", "a list of texts"),
        (["fig"], "1 texts"),
    ],
)
def test_a_bad_text_column_is_refused(column: object, message: str, dense: Retriever, words: BM25) -> None:
    hybrid = HybridRetriever(dense, words, "words")
    with pytest.raises(ValueError, match=message):
        hybrid.search(QUERIES if column is None else QUERIES | {"words": column})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ()}, "one text column"),
        ({"depth": 0}, "depth=0"),
        ({"fusion": ReciprocalRank(weights=[1, 1, 1])}, "each of 2 lists"),
        ({"fusion": WeightedScores(minimums=[0.0])}, "of 2 lists"),
    ],
)
def test_a_bad_setting_is_refused(arguments: dict, message: str, dense: Retriever, words: BM25) -> None:
    with pytest.raises(ValueError, match=message):
        HybridRetriever(**{"dense": dense, "lexical": words, "text": "claim", **arguments})
