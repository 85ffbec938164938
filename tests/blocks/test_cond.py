import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import MLPBlock
from tfdual.blocks import Cond

X = tf.constant([[1.0, 2.0]])


def more_than(limit: float) -> keras.layers.Layer:
    return keras.layers.Lambda(lambda x: keras.ops.sum(x) > limit, output_shape=())


@pytest.mark.parametrize(("limit", "factor"), [(2.0, 10.0), (4.0, 100.0)])
def test_one_of_the_two_is_applied(limit: float, factor: float) -> None:
    cond = Cond(more_than(limit), keras.layers.Rescaling(10.0), keras.layers.Rescaling(100.0))
    np.testing.assert_allclose(cond(X), X * factor)
    np.testing.assert_allclose(tf.function(cond)(X), X * factor)


def test_without_false_the_input_passes() -> None:
    np.testing.assert_allclose(Cond(more_than(4.0), keras.layers.Rescaling(10.0))(X), X)


def test_different_output_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="true and false branches must return the same output shape"):
        Cond(more_than(1.0), MLPBlock([3]), MLPBlock([4]))(X)
    with pytest.raises(ValueError, match="true and false branches must return the same output shape"):
        Cond(more_than(1.0), MLPBlock([3]))(X)
