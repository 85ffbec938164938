"""Towers that TensorFlow Recommenders trained, as retrievers. Run by `test_in_legacy_keras.py`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

import tfdual
from tfdual import ColumnSchema, Schema
from tfdual.tfrs import TrainedTower, retriever_of_towers

USERS = [f"u{number}" for number in range(30)]
FILMS = [f"film {number}" for number in range(50)]
USER = Schema([ColumnSchema("user", dtype="string")])
FILM = Schema([ColumnSchema("title", dtype="string")])
WITHOUT_TFRS = """
import json, sys
sys.modules["tf_keras"] = sys.modules["tensorflow_recommenders"] = None
import tfdual
found = tfdual.Retriever.load(sys.argv[1]).search(json.loads(sys.argv[2]), k=int(sys.argv[3]))
print(json.dumps({name: values.tolist() for name, values in found.items()}))
"""


class Films(tfrs.Model):
    """The model of TensorFlow Recommenders' first tutorial, and a text beside the title's id."""

    def __init__(self) -> None:
        super().__init__()
        layers = tf.keras.layers
        self.query = tf.keras.Sequential([layers.StringLookup(vocabulary=USERS, mask_token=None)])
        self.query.add(layers.Embedding(len(USERS) + 1, 8))
        self.item = FilmTower()
        titles = tf.data.Dataset.from_tensor_slices(FILMS).batch(16)
        metrics = tfrs.metrics.FactorizedTopK(titles.map(self.item))
        self.task = tfrs.tasks.Retrieval(metrics=metrics)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        return self.task(self.query(inputs["user"]), self.item(inputs["title"]), compute_metrics=not training)


class FilmTower(tf.keras.Model):
    """Id and words of a title, then a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        layers = tf.keras.layers
        self.words = layers.TextVectorization(max_tokens=60)
        self.words.adapt(FILMS)
        self.of_words = tf.keras.Sequential(
            [self.words, layers.Embedding(60, 8, mask_zero=True), layers.GlobalAveragePooling1D()]
        )
        self.of_id = tf.keras.Sequential([layers.StringLookup(vocabulary=FILMS), layers.Embedding(len(FILMS) + 1, 8)])
        self.dense = tf.keras.Sequential([layers.Dropout(0.5), layers.Dense(8)])

    def call(self, titles: tf.Tensor) -> tf.Tensor:
        return self.dense(tf.concat([self.of_id(titles), self.of_words(titles)], axis=1))


@pytest.fixture(scope="module")
def model() -> Films:
    model = Films()
    model.compile(optimizer=tf.keras.optimizers.Adagrad(0.5))
    rng = np.random.default_rng(0)
    users = rng.integers(0, len(USERS), 600)
    films = (users + rng.integers(0, 5, 600)) % len(FILMS)
    rows = {"user": np.array(USERS)[users], "title": np.array(FILMS)[films]}
    history = model.fit(tf.data.Dataset.from_tensor_slices(rows).batch(64), epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    return model


@pytest.fixture(scope="module")
def retriever(model: Films) -> tfdual.Retriever:
    query, item = TrainedTower(model.query, USER), TrainedTower(model.item, FILM)
    return retriever_of_towers(query, item, {"title": FILMS}, "title")


@pytest.fixture(scope="module")
def layer(model: Films) -> tfrs.layers.factorized_top_k.BruteForce:
    layer = tfrs.layers.factorized_top_k.BruteForce(model.query)
    titles = tf.data.Dataset.from_tensor_slices(FILMS).batch(20)
    return layer.index_from_dataset(titles.map(lambda batch: (batch, model.item(batch))))


def test_legacy_keras_and_keras_3_stand_side_by_side() -> None:
    assert tf.keras.layers.Layer.__module__.startswith("tf_keras")
    assert keras.__version__.startswith("3.")


def test_retriever_finds_what_the_brute_force_layer_finds(
    retriever: tfdual.Retriever, layer: tfrs.layers.factorized_top_k.BruteForce
) -> None:
    scores, titles = layer(tf.constant([*USERS, "stranger"]), k=9)
    found = retriever.search({"user": [*USERS, "stranger"]}, k=9)
    np.testing.assert_allclose(found["score"], scores, atol=1e-5)
    assert found["id"].tolist() == np.char.decode(titles.numpy().astype(bytes)).tolist()


def test_exclusions_are_those_of_the_layer(
    retriever: tfdual.Retriever, layer: tfrs.layers.factorized_top_k.BruteForce
) -> None:
    seen = retriever.search({"user": USERS[:4]}, k=3)["id"]
    _, titles = layer.query_with_exclusions(tf.constant(USERS[:4]), tf.constant(seen), k=5)
    found = retriever.search({"user": USERS[:4]}, k=5, exclude=seen.tolist())
    assert found["id"].tolist() == np.char.decode(titles.numpy().astype(bytes)).tolist()


def test_embeddings_and_pairs_are_those_of_the_towers(model: Films, retriever: tfdual.Retriever) -> None:
    queries, items = model.query(tf.constant(USERS)).numpy(), model.item(tf.constant(FILMS[:30])).numpy()
    np.testing.assert_allclose(retriever.embed_query({"user": USERS}), queries, atol=1e-6)
    np.testing.assert_allclose(retriever.embed_item({"title": FILMS[:30]}), items, atol=1e-6)
    pairs = retriever.score({"user": USERS}, {"title": FILMS[:30]})
    np.testing.assert_allclose(pairs, (queries * items).sum(axis=1), atol=1e-5)


def test_export_answers_the_same_where_neither_tfrs_nor_tf_keras_is(
    retriever: tfdual.Retriever, tmp_path: Path
) -> None:
    asked = {"user": ["u3", "u17", "stranger"]}
    expected = retriever.search(asked, k=6)
    retriever.export(tmp_path, canary=tfdual.serving.Canary(asked, 6, min_recall=1.0))
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", WITHOUT_TFRS, str(tmp_path), json.dumps(asked), "6"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["id"] == expected["id"].tolist()
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)


def test_versions_are_published_and_loaded_by_label(retriever: tfdual.Retriever, tmp_path: Path) -> None:
    for _ in range(2):
        retriever.export(tmp_path)
    tfdual.serving.Versions(tmp_path).promote(1)
    loaded = tfdual.Retriever.load(tmp_path, version="stable")
    np.testing.assert_array_equal(loaded.search({"user": ["u1"]})["id"], retriever.search({"user": ["u1"]})["id"])


def test_saved_keras_towers_become_the_same_retriever(
    model: Films, retriever: tfdual.Retriever, tmp_path: Path
) -> None:
    towers = []
    for name, tower, schema in (("query", model.query, USER), ("item", model.item, FILM)):
        tf.saved_model.save(tower, str(tmp_path / name))
        towers.append(TrainedTower(tf.saved_model.load(str(tmp_path / name)), schema))
    mine = retriever_of_towers(*towers, {"title": FILMS}, "title")
    np.testing.assert_array_equal(mine.search({"user": USERS})["id"], retriever.search({"user": USERS})["id"])
    mine.export(tmp_path / "versions")
    assert mine.description["embedding_space"] == retriever.description["embedding_space"]


def test_functional_tower_takes_a_dict_of_its_inputs(tmp_path: Path) -> None:
    layers = tf.keras.layers
    inputs = {"user": layers.Input((), dtype=tf.string, name="user"), "age": layers.Input((), name="age")}
    ids = layers.Embedding(31, 7)(layers.StringLookup(vocabulary=USERS)(inputs["user"]))
    output = layers.Concatenate()([ids, layers.Reshape((1,))(inputs["age"])])
    tower = TrainedTower(tf.keras.Model(inputs, output), USER + Schema([ColumnSchema("age", dtype="float32")]))
    item = TrainedTower(
        tf.keras.Sequential([layers.StringLookup(vocabulary=FILMS), layers.Embedding(len(FILMS) + 1, 8)]), FILM
    )
    item.tower(tf.constant(FILMS[:1]))
    retriever = retriever_of_towers(tower, item, {"title": FILMS}, "title", index=tfdual.ScaNN())
    asked = {"user": ["u1", "u2"], "age": [30.0, 40.0]}
    columns = {name: tf.constant(values) for name, values in asked.items()}
    scores = tower.tower(columns).numpy() @ item.tower(tf.constant(FILMS)).numpy().T
    best = np.argsort(-scores, axis=1)[:, :4]
    assert retriever.search(asked, k=4)["id"].tolist() == np.array(FILMS)[best].tolist()
    path = retriever.export(tmp_path)
    np.testing.assert_allclose(
        tfdual.Retriever.load(path).search(asked, k=4)["score"], np.take_along_axis(scores, best, 1), atol=1e-5
    )


def test_tower_of_keras_3_is_refused() -> None:
    with pytest.raises(TypeError, match="layer of Keras 3"):
        TrainedTower(keras.layers.Dense(2), USER)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, model: Films) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match=r"tfdual\[tfrs\]"):
        TrainedTower(model.query, USER)
