import keras
import numpy as np
import tensorflow as tf

from tfdual.blocks import MapValues

INPUTS = {"a": tf.constant([[1.0, 2.0]]), "b": tf.constant([[3.0, -4.0]])}


def test_each_value_passes_the_same_layer() -> None:
    layer = keras.layers.Dense(3)
    block = MapValues(layer)
    found = block(INPUTS)
    kernel, bias = layer.get_weights()
    assert len(block.weights) == 2
    for name, value in INPUTS.items():
        np.testing.assert_allclose(found[name], value @ kernel + bias, rtol=1e-5)


def test_shape_is_that_of_the_layer() -> None:
    block = MapValues(keras.layers.Dense(3))
    assert block.compute_output_shape({"a": (None, 2)}) == {"a": (None, 3)}
