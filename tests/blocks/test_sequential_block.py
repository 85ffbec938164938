import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import MLPBlock, ParallelBlock, SequentialBlock

INPUTS = tf.constant([[1.0, -2.0], [3.0, 4.0]])


def test_layers_are_applied_in_order() -> None:
    block = SequentialBlock([keras.layers.Rescaling(10.0), keras.layers.Rescaling(1.0, offset=1.0)])
    np.testing.assert_allclose(block(INPUTS), [[11, -19], [31, 41]])


def test_each_layer_is_built_with_the_width_before_it() -> None:
    block = SequentialBlock([keras.layers.Dense(5), keras.layers.Dense(3)])
    assert block(INPUTS).shape == (2, 3)
    assert [weight.shape for weight in block.weights] == [(2, 5), (5,), (5, 3), (3,)]
    assert block.compute_output_shape((None, 2)) == (None, 3)


def test_training_reaches_the_layers() -> None:
    block = SequentialBlock([keras.layers.Dropout(0.9, seed=0)])
    wide = tf.ones((1, 100))
    assert (block(wide, training=True).numpy() == 0).sum() > 50
    assert (block(wide).numpy() == 1).all()


def test_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one layer. Received none"):
        SequentialBlock([])


def test_layer_that_gets_named_vectors_and_wants_one_tensor_is_named() -> None:
    block = SequentialBlock(
        [ParallelBlock({"a": MLPBlock([2]), "b": MLPBlock([2])}), keras.layers.Dense(3, name="deep")]
    )
    with pytest.raises(
        ValueError, match=r"'deep' \(Dense\) can't take a dict of \['a', 'b'\]. Fuse it to one tensor first"
    ):
        block(keras.ops.ones((2, 3)))
