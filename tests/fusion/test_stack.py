import keras
import numpy as np
import tensorflow as tf

from tfdual.fusion import StackFusion

INPUTS = {"b": tf.constant([[1.0, 2.0], [3.0, 4.0]]), "c": tf.zeros((2, 2)), "a": tf.constant([[5.0, 6.0], [7.0, 8.0]])}


def test_vectors_lie_one_below_the_other_in_the_order_of_the_names() -> None:
    np.testing.assert_array_equal(StackFusion()(INPUTS), [[[5, 6], [1, 2], [0, 0]], [[7, 8], [3, 4], [0, 0]]])


def test_output_shape_counts_the_features() -> None:
    assert StackFusion().compute_output_shape({"a": (None, 4), "b": (None, 4)}) == (None, 2, 4)
    assert StackFusion()({"a": keras.Input((4,)), "b": keras.Input((4,))}).shape == (None, 2, 4)
