"""A text as a tower: alone, shared between the sides, or one for each."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.features.text.tiny_model import write_model
from tfdual import ColumnSchema, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.preprocessing import Passthrough
from tfdual.towers import BertTower

QUERY = ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string")
ITEM = ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string")
ITEM_ID = ColumnSchema("item_id", [Tags.ITEM_ID])
WORDS = ["tea", "milk", "green", "teas", "a", "b"]
TABLE = pa.table(
    {
        "question": [f"{one} and {other}" for one in WORDS for other in WORDS],
        "title": [f"{other}, {one}!" for one in WORDS for other in WORDS],
        "item_id": range(len(WORDS) ** 2),
    }
)
SCHEMA = Schema([QUERY, ITEM, ITEM_ID])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def encoder(directory: Path, trainable_layers: int | str = 0) -> TextEncoder:
    return TextEncoder.from_directory(directory, trainable_layers=trainable_layers, normalize=True)


def two_towers(query: BertTower, item: BertTower) -> tfdual.TwoTowerBlock:
    return tfdual.TwoTowerBlock(SCHEMA, query, item)


def test_its_dtype_is_that_of_the_features_and_of_a_copy(directory: Path) -> None:
    tower = BertTower(Schema([QUERY]), encoder(directory), dtype="mixed_bfloat16")
    assert tower.features.compute_dtype == "bfloat16"
    assert tower.set_schema(Schema([ITEM])).features.compute_dtype == "bfloat16"


def fitted(towers: tfdual.TwoTowerBlock) -> tuple[tfdual.TwoTowerModel, tfdual.Rows, tfdual.Preprocessor]:
    rows = tfdual.read(TABLE, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA, {"question": Passthrough(), "title": Passthrough()}).adapt(rows)
    model = tfdual.TwoTowerModel(towers, item_id="item_id")
    model.compile(tfdual.LazyAdam(1e-2))
    model.fit(rows.batch(12, shuffle=True, seed=0).map(prep), epochs=2, verbose=0)
    return model, rows, prep


def test_a_copy_starts_from_the_weights_that_the_encoder_has_by_then(directory: Path, tmp_path: Path) -> None:
    texts = tf.constant(["tea and milk", "green"])
    tuned = encoder(directory, "all")
    tuned.build()
    tuned.transformer.set_weights([weight + 0.1 for weight in tuned.transformer.get_weights()])
    loaded = TextEncoder.from_config(tuned.get_config() | {"source": str(tmp_path)})  # never read by this process
    loaded.build()
    loaded.transformer.set_weights([weight + 0.2 for weight in loaded.transformer.get_weights()])
    for original in (tuned, loaded):
        towers = tfdual.TwoTowerBlock(SCHEMA, BertTower(Schema([QUERY]), original, head=keras.layers.Dense(2)))
        query, item = (side.block.encoder for side in (towers.query, towers.item))
        wanted = original(texts)
        np.testing.assert_allclose(item(texts), wanted, rtol=1e-5, atol=1e-6)
        assert query is original
        item.transformer.weights[0].assign_add(tf.ones_like(item.transformer.weights[0]))
        np.testing.assert_array_equal(query(texts), wanted)
    nested = tfdual.blocks.ParallelBlock({"a": BertTower(Schema([QUERY]), tuned)}).copy()
    copies = [layer for layer in nested._flatten_layers() if isinstance(layer, TextEncoder)]
    np.testing.assert_allclose(copies[0](texts), tuned(texts), rtol=1e-5, atol=1e-6)
    assert copies[0] is not tuned


def test_a_block_with_one_encoder_in_two_places_is_copied(directory: Path) -> None:
    tuned = encoder(directory, "all")
    tuned.build()
    tuned.transformer.set_weights([weight + 0.1 for weight in tuned.transformer.get_weights()])
    towers = {name: BertTower(Schema([column]), tuned) for name, column in (("a", QUERY), ("b", ITEM))}
    copy = tfdual.blocks.ParallelBlock(towers).copy()
    copies = [layer for layer in copy._flatten_layers() if isinstance(layer, TextEncoder)]
    assert len(copies) == 2
    texts = tf.constant(["tea and milk", "green"])
    for one in copies:
        np.testing.assert_allclose(one(texts), tuned(texts), rtol=1e-5, atol=1e-6)


def test_a_shared_encoder_is_one_and_separate_ones_are_two(directory: Path) -> None:
    texts = {"question": tf.constant(WORDS), "title": tf.constant(WORDS)}
    shared = encoder(directory, "all")
    towers = two_towers(BertTower(Schema([QUERY]), shared), BertTower(Schema([ITEM]), shared))
    found = towers(texts)
    np.testing.assert_array_equal(found["query"], found["item"])
    assert len(towers.trainable_weights) == len(shared.trainable_weights)
    copied = two_towers(BertTower(Schema([QUERY]), shared), BertTower(Schema([ITEM]), encoder(directory, "all")))
    copied(texts)
    assert len(copied.trainable_weights) == 2 * len(shared.trainable_weights)


def test_a_shared_encoder_is_one_when_a_pair_of_towers_is_loaded(directory: Path, tmp_path: Path) -> None:
    texts, shared = {"question": tf.constant(WORDS), "title": tf.constant(WORDS)}, encoder(directory, "all")
    towers = tfdual.DualEncoderBlock(BertTower(Schema([QUERY]), shared), BertTower(Schema([ITEM]), shared))
    model = tfdual.TwoTowerModel(towers, item_id="item_id", sampling_correction=False)
    before = model(texts)["query"]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    np.testing.assert_array_equal(loaded(texts)["query"], before)


def test_an_item_tower_that_is_not_given_starts_from_the_same_weights(directory: Path) -> None:
    towers = tfdual.TwoTowerBlock(SCHEMA, BertTower(Schema([QUERY]), encoder(directory, "all")))
    found = towers({"question": tf.constant(WORDS), "title": tf.constant(WORDS)})
    np.testing.assert_array_equal(found["query"], found["item"])
    assert len({id(weight) for weight in towers.weights}) == len(towers.weights)


@pytest.mark.parametrize("shared", [True, False])
def test_a_two_tower_of_texts_trains_saves_and_is_served(directory: Path, tmp_path: Path, shared: bool) -> None:
    one = encoder(directory)
    other = one if shared else encoder(directory)
    towers = two_towers(BertTower(Schema([QUERY]), one, num_layers=1), BertTower(Schema([ITEM]), other, num_layers=1))
    before = one(tf.constant(WORDS)).numpy()
    model, rows, prep = fitted(towers)
    query = model.encode_query({"question": tf.constant(WORDS)}).numpy()
    assert not np.allclose(query, before, atol=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)
    np.testing.assert_allclose(loaded.encode_query({"question": tf.constant(WORDS)}), query, atol=1e-6)
    if not shared:
        return
    retriever = loaded.to_retriever(rows.select(Schema([ITEM, ITEM_ID])), tfdual.BruteForce(), prep)
    retriever.export(tmp_path / "served")
    served = tfdual.Retriever.load(tmp_path / "served" / "1").search({"question": WORDS}, k=3)
    items = model.encode_item({"title": tf.constant(TABLE["title"].to_pylist())}).numpy()
    best = np.sort(query @ items.T, axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose(served["score"], best, atol=1e-5)


def test_a_text_is_a_column_among_others(directory: Path, tmp_path: Path) -> None:
    age = ColumnSchema("age", [Tags.USER], dtype="float32")
    features = tfdual.InputBlock(Schema([QUERY, age]), encoders={"question": encoder(directory)}, aggregation="concat")
    tower = tfdual.Tower(features >> tfdual.MLPBlock([4], no_activation_last_layer=True), post="l2-norm")
    inputs = {"question": tf.constant(WORDS), "age": tf.range(6.0)}
    wanted = tower(inputs).numpy()
    assert wanted.shape == (6, 4)
    tower.save(tmp_path / "tower.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "tower.keras")(inputs), wanted, atol=1e-6)


def test_the_layers_to_train_are_told_to_the_encoder(directory: Path) -> None:
    one = encoder(directory)
    BertTower(Schema([QUERY]), one, num_layers=2)
    assert {weight.path.split("/")[-2] for weight in one.trainable_weights} == {"layer_1", "layer_2"}


@pytest.mark.parametrize("num_layers", [0, -1, 4])
def test_a_number_of_layers_that_are_not_there_is_refused(directory: Path, num_layers: int) -> None:
    with pytest.raises(ValueError, match=f"num_layers is from 1 to 3.*Received {num_layers}"):
        BertTower(Schema([QUERY]), encoder(directory), num_layers)


@pytest.mark.parametrize("schema", [Schema([QUERY, ITEM]), Schema([ITEM_ID])])
def test_not_one_text_is_refused(directory: Path, schema: Schema) -> None:
    with pytest.raises(ValueError, match="reads one column of strings"):
        BertTower(schema, encoder(directory))


@pytest.mark.parametrize("trainable_layers", [0, 1, "all"])
def test_what_follows_the_encoder_is_trained_whatever_of_it_is_frozen(
    directory: Path, trainable_layers: int | str
) -> None:
    one = encoder(directory, trainable_layers)
    head = [keras.layers.BatchNormalization(momentum=0.0), keras.layers.Dropout(0.5)]
    tower = tfdual.Tower(BertTower(Schema([QUERY]), one, head=head))
    texts = {"question": tf.constant(WORDS * 8)}
    tower(texts)
    dropped = tower(texts, training=True).numpy() == 0
    assert 0.3 < dropped.mean() < 0.7
    vectors = one(texts["question"], training=True).numpy()
    if trainable_layers == 0:
        statistics = tower.block.head.layers[0].get_weights()[2:]
        np.testing.assert_allclose(statistics, [vectors.mean(axis=0), vectors.var(axis=0)], atol=1e-5)
    assert not (tower(texts).numpy() == 0).any()


def test_layers_that_are_said_later_are_those_of_a_saved_tower(directory: Path, tmp_path: Path) -> None:
    tower = tfdual.Tower(BertTower(Schema([QUERY]), encoder(directory), num_layers=1))
    tower.build()
    tower.block.encoder.transformer.train_last(2)
    tower.save(tmp_path / "tower.keras")
    loaded = keras.models.load_model(tmp_path / "tower.keras").block
    assert loaded.encoder.transformer.trainable_layers == 2
    assert loaded.set_schema(Schema([ITEM])).encoder.transformer.trainable_layers == 2
