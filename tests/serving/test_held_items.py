"""What a retriever holds, told without a search: its ids, those that a filter lets through, and the attributes."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.ranking import BM25, ReciprocalRank
from tfdual.serving import HybridRetriever, Reranker

pytest.importorskip("bm25s")
pytest.importorskip("Stemmer")

COUNT, CANDIDATES, LONG = 60, 10, "dø " * 10_000
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("note", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("year", [Tags.ITEM, Tags.CONTINUOUS]),
        ColumnSchema("text", [Tags.ITEM], dtype="string"),
        ColumnSchema("weight", [Tags.ITEM], dtype="float32"),
    ]
)
IDS = [f"ñ{place}" for place in range(COUNT)]
TEXTS = [f"number {place}" for place in range(COUNT - 1)] + [LONG]
NOTES = {
    "note": IDS,
    "year": [1990 + place for place in range(COUNT)],
    "text": TEXTS,
    "weight": np.arange(COUNT, dtype="float32"),
}
QUERIES = {"user": ["ada", "bob"], "words": ["number 7", "number 9"]}
SCORED: list[int] = []


class Counted(keras.layers.Layer):
    """Scores an item by its weight, and notes how many pairs it is given."""

    def call(self, columns: dict) -> tf.Tensor:
        weights = columns["weight"]
        scores = tf.numpy_function(lambda values: (SCORED.append(values.size), values)[1], [weights], tf.float32)
        return tf.ensure_shape(scores, weights.shape)


@pytest.fixture
def retriever() -> Retriever:
    rows = tfdual.read({"user": ["ada", "bob"] * (COUNT // 2), **NOTES}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA.without(["text"])).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    model.build()
    return model.to_retriever(
        rows.select(SCHEMA.select_by_tag(Tags.ITEM)),
        tfdual.BruteForce(),
        prep,
        attributes=["year", "text"],
        filters=["year"],
        reranker=Reranker(Counted(), [], ["weight"], CANDIDATES),
    )


def held(retriever: Retriever, filter: str | None = None) -> list[str]:
    return [name.decode() for name in retriever.item_ids(filter).tolist()]


def test_ids_and_attributes_are_those_of_now(retriever: Retriever, tmp_path: Path) -> None:
    retriever.search({"user": ["ada"]})  # traced before the changes
    assert held(retriever) == IDS
    assert held(retriever, "year >= 2045") == IDS[55:]
    assert retriever.item_attributes()["text"].tolist() == TEXTS
    retriever.delete([IDS[3], IDS[58]])
    retriever.upsert({"note": [IDS[57], "new"], "year": [7, 2050], "text": ["changed", ""], "weight": [0.0, 1.0]})
    retriever.export(tmp_path / "notes")
    for each in (retriever, Retriever.load(tmp_path / "notes")):
        SCORED.clear()
        left = [place for place in range(COUNT) if place not in (3, 58)]
        attributes = each.item_attributes()
        assert list(attributes) == ["year", "text"]
        assert held(each) == [IDS[place] for place in left] + ["new"]
        assert attributes["year"].tolist() == [7 if place == 57 else 1990 + place for place in left] + [2050]
        assert attributes["text"].tolist() == ["changed" if place == 57 else TEXTS[place] for place in left] + [""]
        assert held(each, "year >= 2045") == [IDS[55], IDS[56], IDS[59], "new"]
        assert held(each, "year > 3000") == []
        assert not SCORED
        found = each.search({"user": ["ada"]}, COUNT, filter="year >= 2045")["id"][0].tolist()
        assert sorted(found) == sorted([IDS[55], IDS[56], IDS[59], "new"] + [""] * (COUNT - 5))
        with pytest.raises(ValueError, match="can't be filtered"):
            each.item_ids("pages > 3")


def test_a_hybrid_has_no_more_pairs_scored_than_its_dense_half(retriever: Retriever, tmp_path: Path) -> None:
    words = BM25().build(TEXTS, IDS)
    SCORED.clear()
    made = HybridRetriever(retriever, words, "words", depth=CANDIDATES).with_fusion(ReciprocalRank(k=10))
    assert not SCORED
    made.save(tmp_path / "hybrid")
    SCORED.clear()
    loaded = HybridRetriever.load(tmp_path / "hybrid")
    assert not SCORED
    for filter, allowed in ((None, IDS), ("year >= 1998", IDS[8:]), ("year > 3000", [])):
        answers = []
        for hybrid in (made, loaded):
            SCORED.clear()
            answers.append(hybrid.search(QUERIES, 5, filter=filter))
            assert sum(SCORED) <= 2 * CANDIDATES
        for name in ("id", "score", "year", "text"):
            np.testing.assert_array_equal(answers[0][name], answers[1][name])
        for row in range(2):
            places = [IDS.index(name) for name in answers[0]["id"][row] if name]
            assert {IDS[place] for place in places} <= set(allowed)
            assert answers[0]["text"][row].tolist() == [TEXTS[place] for place in places] + [""] * (5 - len(places))


def test_a_new_item_has_the_columns_that_the_reranker_alone_reads() -> None:
    rows = tfdual.read({"user": ["ada", "bob"] * (COUNT // 2), **NOTES}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA.without(["text"])).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema.without(["weight"]), tfdual.MLPBlock([4])))
    model.build()
    items = rows.select(SCHEMA.select_by_tag(Tags.ITEM))
    reranker = Reranker(Counted(), [], ["weight"], COUNT)
    made = model.to_retriever(items, tfdual.BruteForce(), prep, ["text"], reranker=reranker)
    assert made.search({"user": ["ada"]}, 2)["id"].tolist() == [[IDS[59], IDS[58]]]
    made.upsert({"note": ["new", IDS[59]], "year": [7, 8], "text": ["x", "y"], "weight": [1000.0, -5.0]})
    found = made.search({"user": ["ada"]}, COUNT + 1)
    assert found["id"][0, [0, 1, -1]].tolist() == ["new", IDS[58], IDS[59]]
    assert found["text"][0, 0] == "x"


def test_a_long_text_takes_only_its_own_place(retriever: Retriever) -> None:
    hybrid = HybridRetriever(retriever, BM25().build(TEXTS, IDS), "words")
    for found in (retriever.search({"user": ["ada"]}, COUNT), hybrid.search(QUERIES, COUNT)):
        assert found["id"].dtype.kind == "U"
        assert found["text"].dtype == object
        assert found["text"].nbytes == found["id"].size * np.dtype(object).itemsize
        assert {type(text) for text in found["text"].ravel()} == {str}
        assert LONG in found["text"][0]
    nothing = retriever.search({"user": []}, 4)
    assert nothing["text"].shape == nothing["id"].shape == (0, 4)


def test_a_retriever_without_attributes_and_filters_is_saved(tmp_path: Path) -> None:
    schema = SCHEMA.select_by_name(["user", "note"])
    rows = tfdual.read({"user": ["ada", "bob"] * (COUNT // 2), "note": IDS}, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    model.build()
    plain = model.to_retriever(rows.select(schema.select_by_tag(Tags.ITEM)), tfdual.BruteForce(), prep)
    plain.export(tmp_path / "plain")
    for each in (plain, Retriever.load(tmp_path / "plain")):
        assert held(each) == IDS
        assert each.item_attributes() == {}
        with pytest.raises(ValueError, match="can't be filtered"):
            each.item_ids("year > 3")
