from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import ColumnSchema, InputBlock, Schema, Tags, Tower
from tfdual.blocks import ResidualBlock

X = tf.constant([[1.0, -2.0]])


def test_input_is_added_and_the_sum_activated() -> None:
    np.testing.assert_allclose(ResidualBlock(keras.layers.Rescaling(3.0))(X), [[4, -8]])
    np.testing.assert_allclose(ResidualBlock(keras.layers.Rescaling(3.0), activation="relu")(X), [[4, 0]])


def test_layer_that_changes_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The input has 2, 'wider' gives 3. End it in a Dense layer of 2 units"):
        ResidualBlock(keras.layers.Dense(3, name="wider"))(X)


def test_an_activation_with_weights_is_saved_in_a_tower(tmp_path: Path) -> None:
    taste = ColumnSchema("taste", [Tags.EMBEDDING], dtype="float32", is_list=True, dims=(None, 2))
    start = keras.initializers.RandomUniform(0.1, 0.9)
    block = ResidualBlock(keras.layers.Rescaling(3.0), activation=keras.layers.PReLU(start))
    tower = Tower(InputBlock(Schema([taste]), aggregation="concat") >> block)
    wanted = tower({"taste": X}).numpy()
    np.testing.assert_allclose(wanted, [[4, -8 * block.activation.get_weights()[0][1]]], rtol=1e-6)
    tower.save(tmp_path / "tower.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "tower.keras")({"taste": X}), wanted)
