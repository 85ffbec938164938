import numpy as np
import tensorflow as tf

from tfdual.fusion import MultiplicationFusion

INPUTS = {"a": tf.constant([[2.0, 0.0]]), "b": tf.constant([[-3.0, 5.0]]), "c": tf.constant([[4.0, 7.0]])}


def test_vectors_are_multiplied_element_by_element() -> None:
    np.testing.assert_array_equal(MultiplicationFusion()(INPUTS), [[-24, 0]])


def test_zero_has_the_gradient_of_the_other_factors() -> None:
    with tf.GradientTape() as tape:
        tape.watch(INPUTS["a"])
        product = MultiplicationFusion()(INPUTS)
    np.testing.assert_array_equal(tape.gradient(product, INPUTS["a"]), [[-12, 35]])


def test_one_vector_stays_as_it_is() -> None:
    np.testing.assert_array_equal(MultiplicationFusion()({"a": INPUTS["a"]}), INPUTS["a"])
