import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import ConcatFusion


def test_order_is_that_of_the_names_not_of_the_dict() -> None:
    one, two = tf.constant([[1.0], [2.0]]), tf.constant([[3.0, 4.0], [5.0, 6.0]])
    for inputs in ({"b": two, "a": one}, {"a": one, "b": two}):
        np.testing.assert_array_equal(ConcatFusion()(inputs), [[1, 3, 4], [2, 5, 6]])


def test_output_shape_adds_the_widths() -> None:
    assert ConcatFusion().compute_output_shape({"a": (None, 2), "b": (None, 5)}) == (None, 7)
    assert ConcatFusion()({"a": keras.Input((2,)), "b": keras.Input((5,))}).shape == (None, 7)


def test_no_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one vector. Received an empty dict"):
        ConcatFusion().build({})
