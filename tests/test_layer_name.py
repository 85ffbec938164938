"""Columns may be called anything; layers may not."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import domain
from tfdual import ColumnSchema, EmbeddingOptions, Schema, Tags, TwoTowerBlock, TwoTowerModel
from tfdual._layer_name import layer_name

NAMES = ["release year", "price (usd)", "Größe", "年", "歳", "user:age", "a/b", "a_b", "a b"]


@pytest.mark.parametrize("name", ["genre", "item_id", "query-id", "_type", "a.b"])
def test_a_name_that_layers_can_have_stays(name: str) -> None:
    assert layer_name(name) == name


def test_other_names_stay_different() -> None:
    assert len({layer_name(name) for name in NAMES}) == len(NAMES)
    assert all(layer_name(name).isascii() for name in NAMES)


def test_columns_of_any_name_train_and_are_saved(tmp_path: Path) -> None:
    columns = [ColumnSchema(name, [Tags.ITEM, Tags.CATEGORICAL], domain(name, 4)) for name in NAMES]
    ids = [ColumnSchema(name, [tag], domain(name, 4)) for name, tag in (("u", Tags.USER_ID), ("i", Tags.ITEM_ID))]
    towers = TwoTowerBlock(
        Schema([*ids, *columns]), keras.layers.Dense(2), None, embedding_options=EmbeddingOptions({}, 3)
    )
    model = TwoTowerModel(towers, sampling_correction=False)
    batch = {name: tf.constant([1, 2, 3, 1], tf.int64) for name in ["u", "i", *NAMES]}
    model.compile(keras.optimizers.SGD(0.1))
    before = {name: table.get_weights()[0] for name, table in _built(model).towers.item.tables.items()}
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert set(loaded.towers.item.tables) == {"i", *NAMES}
    for name, table in loaded.towers.item.tables.items():
        np.testing.assert_array_equal(table.get_weights()[0], model.towers.item.tables[name].get_weights()[0])
        assert not np.array_equal(table.get_weights()[0], before[name])


def _built(model: TwoTowerModel) -> TwoTowerModel:
    model.build(None)
    return model
