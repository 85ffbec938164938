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


@every_distillation
def test_the_first_rows_are_compared_with_the_rows_behind_alone(distillation: Callable) -> None:
    """Each asking row by itself, before the same items: the mean over the queries, or over all their pairs."""
    queries = [np.concatenate([[row], np.arange(4, 9)]) for row in range(4)]
    alone = [float(distillation(VECTORS[rows], TEACHER[rows], asking=1)) for rows in queries]
    together = float(distillation(VECTORS, TEACHER, asking=4))
    if distillation is neighbour_distillation:
        assert together == pytest.approx(np.mean(alone), rel=1e-5)
    assert min(alone) < together < max(alone)
    moved = np.concatenate([VECTORS[:4], VECTORS[4:] + np.eye(5, 4, dtype="float32")])
    assert float(distillation(moved, TEACHER, asking=4)) != together


@every_distillation
def test_a_row_that_asks_is_not_its_own_neighbour(distillation: Callable) -> None:
    vectors, teacher = (np.concatenate([rows[:1], 3 * rows]) for rows in (VECTORS, TEACHER))
    own_left_out = np.concatenate([[0], np.arange(2, 10)])
    found = float(distillation(vectors, teacher, asking=1))
    assert found == pytest.approx(float(distillation(vectors[own_left_out], teacher[own_left_out], asking=1)), rel=1e-4)
