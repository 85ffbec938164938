"""What holds for every loss that distils the cosines of a batch."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfdual.losses import neighbour_distillation, similarity_distillation

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(9, 4)).astype("float32")
TEACHER = RNG.normal(size=(9, 7)).astype("float32") + 0.6
every_distillation = pytest.mark.parametrize("distillation", [neighbour_distillation, similarity_distillation])


@every_distillation
def test_no_gradient_goes_to_the_teacher(distillation: Callable) -> None:
    vectors, teacher = tf.Variable(VECTORS), tf.Variable(TEACHER)
    with tf.GradientTape() as tape:
        loss = distillation(vectors, teacher)
    gradients = tape.gradient(loss, [vectors, teacher])
    assert gradients[1] is None or not np.asarray(gradients[1]).any()
    assert np.asarray(gradients[0]).any()


@every_distillation
def test_a_row_of_zeros_gives_finite_numbers(distillation: Callable) -> None:
    vectors = tf.Variable(np.concatenate([VECTORS[:3], np.zeros((1, 4), "float32")]))
    with tf.GradientTape() as tape:
        loss = distillation(vectors, TEACHER[:4])
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, vectors)).all()
