import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import ResidualBlock

X = tf.constant([[1.0, -2.0]])


def test_input_is_added_and_the_sum_activated() -> None:
    np.testing.assert_allclose(ResidualBlock(keras.layers.Rescaling(3.0))(X), [[4, -8]])
    np.testing.assert_allclose(ResidualBlock(keras.layers.Rescaling(3.0), activation="relu")(X), [[4, 0]])


def test_layer_that_changes_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The input has 2, 'wider' gives 3. End it in a Dense layer of 2 units"):
        ResidualBlock(keras.layers.Dense(3, name="wider"))(X)
