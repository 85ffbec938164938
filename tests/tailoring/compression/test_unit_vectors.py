"""Vectors of any length at length 1, against NumPy."""

import numpy as np
import tensorflow as tf

from tfdual.tailoring.compression.unit_vectors import unit_vectors


def test_very_short_and_very_long_vectors_get_length_1() -> None:
    direction = np.random.default_rng(0).normal(size=(1, 16))
    lengths = np.array([[1e-30], [1e-20], [1e-9], [1.0], [1e15], [1e20], [1e38]])
    unit = unit_vectors(tf.constant(direction / np.abs(direction).max() * lengths, tf.float32)).numpy()
    np.testing.assert_allclose(unit, np.repeat(direction / np.linalg.norm(direction), 7, axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(unit_vectors(tf.constant([[0.0, -3e38]])), [[0.0, -1.0]])


def test_zeros_stay_and_no_row_gives_no_row() -> None:
    np.testing.assert_array_equal(unit_vectors(tf.zeros((2, 3))), np.zeros((2, 3)))
    assert unit_vectors(tf.zeros((0, 3))).shape == (0, 3)
