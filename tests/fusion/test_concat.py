from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import ConcatFusion
from tfdual.fusion.concat import concatenate

ONE, TWO = tf.constant([[1.0], [2.0]]), tf.constant([[3.0, 4.0], [5.0, 6.0]])


def test_order_is_that_of_the_names_not_of_the_dict() -> None:
    for inputs in ({"b": TWO, "a": ONE}, {"a": ONE, "b": TWO}):
        np.testing.assert_array_equal(ConcatFusion()(inputs), [[1, 3, 4], [2, 5, 6]])
        np.testing.assert_array_equal(concatenate(inputs), [[1, 3, 4], [2, 5, 6]])


def test_tensors_of_more_axes_are_concatenated_on_the_last() -> None:
    found = concatenate({"b": tf.ones((2, 3, 1)), "a": tf.zeros((2, 3, 2))})
    np.testing.assert_array_equal(found, np.tile([0.0, 0, 1], (2, 3, 1)))


def test_transform_takes_the_concatenation() -> None:
    fusion = ConcatFusion(keras.layers.Dense(2))
    fusion({"b": TWO, "a": ONE})
    fusion.transform.set_weights([np.array([[1, 0], [10, 0], [100, 1]]), np.array([0.5, 0])])
    np.testing.assert_allclose(fusion({"b": TWO, "a": ONE}), [[431.5, 4], [652.5, 6]])


def test_output_shape_adds_the_widths() -> None:
    assert ConcatFusion().compute_output_shape({"a": (None, 2), "b": (None, 5)}) == (None, 7)
    assert ConcatFusion()({"a": keras.Input((2,)), "b": keras.Input((5,))}).shape == (None, 7)


def test_output_shape_is_that_of_the_transform() -> None:
    shapes = {"a": (None, 2), "b": (None, 5)}
    assert ConcatFusion(keras.layers.Dense(4)).compute_output_shape(shapes) == (None, 4)


@pytest.mark.parametrize("transform", ["relu", 4, keras.layers.Dense])
def test_transform_that_is_no_layer_is_refused(transform: Any) -> None:
    with pytest.raises(TypeError, match=r"transform is a Keras layer or None. Received"):
        ConcatFusion(transform)


def test_no_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one vector. Received an empty dict"):
        ConcatFusion().build({})
