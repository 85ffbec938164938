"""Towers of ours in the layers of TensorFlow Recommenders. Run by `test_in_legacy_keras.py`."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

import tfdual
from tfdual import ColumnSchema, Preprocessor, Rows, Schema, Tags, TwoTowerModel
from tfdual.tfrs import QueryModel

FILMS = [f"film {number}" for number in range(40)]
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("seen", [Tags.USER], {"domain": {"name": "film"}}, dtype="string", is_list=True),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("title", [Tags.ITEM_ID], {"domain": {"name": "film"}}, dtype="string"),
    ]
)
ASKED = {"user": ["u1", "u5", "nobody"], "seen": [FILMS[:3], [], FILMS[7:8]], "age": [20.0, 30.0, 40.0]}


@pytest.fixture(scope="module")
def rows() -> Rows:
    count = 200
    columns = {
        "user": [f"u{i % 9}" for i in range(count)],
        "seen": [FILMS[i % 7 : i % 7 + i % 4] for i in range(count)],
        "age": [20.0 + i % 30 for i in range(count)],
        "title": [FILMS[i % 40] for i in range(count)],
    }
    return tfdual.read(columns, SCHEMA)


@pytest.fixture(scope="module")
def prep(rows: Rows) -> Preprocessor:
    return Preprocessor(SCHEMA).adapt(rows)


@pytest.fixture(scope="module")
def model(rows: Rows, prep: Preprocessor) -> TwoTowerModel:
    model = TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([16])))
    model.compile(optimizer=tfdual.LazyAdam(0.05))
    model.fit(rows.batch(50).map(prep), epochs=1, verbose=0)
    return model


@pytest.fixture(scope="module")
def items(rows: Rows) -> Rows:
    return rows.select(SCHEMA.select_by_name("title")).unique(by="title")


@pytest.fixture(scope="module")
def candidates(items: Rows, prep: Preprocessor, model: TwoTowerModel) -> tf.data.Dataset:
    return items.batch(16).map(lambda batch: (batch["title"], model.encode_item(prep(batch))))


def asked() -> dict[str, tf.Tensor]:
    return {
        "user": tf.constant(ASKED["user"]),
        "seen": tf.ragged.constant(ASKED["seen"], dtype=tf.string),
        "age": tf.constant(ASKED["age"]),
    }


def padded() -> dict[str, tf.Tensor]:
    return asked() | {"seen": asked()["seen"].to_tensor()}


LAYERS = {
    "BruteForce": {},
    "Streaming": {},
    "ScaNN": {"num_leaves": 4, "num_leaves_to_search": 4, "num_reordering_candidates": 40},
}


@pytest.mark.parametrize("queries", [asked, padded], ids=["ragged", "padded"])
@pytest.mark.parametrize("kind", LAYERS)
def test_layer_finds_what_our_retriever_finds(
    kind: str,
    queries,
    items: Rows,
    candidates: tf.data.Dataset,
    model: TwoTowerModel,
    prep: Preprocessor,
) -> None:
    tower = QueryModel(model.to_query_tower(prep))
    layer = getattr(tfrs.layers.factorized_top_k, kind)(query_model=tower, k=5, **LAYERS[kind])
    layer.index_from_dataset(candidates)
    scores, titles = layer(queries())
    expected = model.to_retriever(items, preprocessor=prep).search(ASKED, k=5)
    np.testing.assert_allclose(scores, expected["score"], atol=1e-5)
    assert np.char.decode(titles.numpy().astype(bytes)).tolist() == expected["id"].tolist()


@pytest.mark.parametrize("kind", ["BruteForce", "ScaNN"])
def test_layer_is_saved_with_the_tower_and_answers_the_same(
    kind: str, candidates: tf.data.Dataset, model: TwoTowerModel, prep: Preprocessor, tmp_path: Path
) -> None:
    tower = QueryModel(model.to_query_tower(prep))
    layer = getattr(tfrs.layers.factorized_top_k, kind)(query_model=tower, k=5, **LAYERS[kind])
    layer.index_from_dataset(candidates)
    scores, titles = layer(padded())
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(layer, str(tmp_path), options=options)
    loaded_scores, loaded_titles = tf.saved_model.load(str(tmp_path))(padded())
    np.testing.assert_allclose(loaded_scores, scores, atol=1e-5)
    np.testing.assert_array_equal(loaded_titles, titles)


def test_factorized_top_k_measures_our_towers(
    rows: Rows, items: Rows, candidates: tf.data.Dataset, model: TwoTowerModel, prep: Preprocessor
) -> None:
    metric = tfrs.metrics.FactorizedTopK(candidates, ks=(5,))
    tower = QueryModel(model.to_query_tower(prep))
    for batch in rows.batch(50):
        metric.update_state(tower(batch), model.encode_item(prep(batch)), true_candidate_ids=batch["title"])
    table = rows.to_arrow().to_pydict()
    found = model.to_retriever(items, preprocessor=prep).search({name: table[name] for name in ASKED}, k=5)["id"]
    hits = [title in best for title, best in zip(table["title"], found.tolist(), strict=True)]
    np.testing.assert_allclose(metric.result()[0], np.mean(hits), atol=1e-6)
