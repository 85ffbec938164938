import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import MLPBlock
from tfdual.blocks import Cond, MapValues

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


def test_without_false_ids_stay_integers_and_named_inputs_named() -> None:
    ids = tf.constant([[2**24 + 1]], tf.int64)
    never = keras.layers.Lambda(lambda inputs: False, output_shape=())
    found = Cond(never, keras.layers.Identity())({"ids": ids, "x": X})
    assert found["ids"].dtype == tf.int64
    np.testing.assert_array_equal(found["ids"], ids)
    np.testing.assert_array_equal(found["x"], X)
    assert Cond(never, keras.layers.Identity())(ids).dtype == tf.int64


def test_named_outputs_of_different_shapes_are_refused() -> None:
    wider = MapValues(keras.layers.Dense(3))
    assert wider.compute_output_shape({"x": (None, 2)}) == {"x": (None, 3)}
    with pytest.raises(ValueError, match="true and false branches must return the same output shape"):
        Cond(keras.layers.Lambda(lambda inputs: True, output_shape=()), wider)({"x": X})
