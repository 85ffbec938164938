import keras
import numpy as np
import tensorflow as tf

from tfdual.blocks import L2Norm


def test_vectors_keep_their_direction_and_get_length_1() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32") * [[[1e-3], [1], [50], [1e3], [1e5]]]
    unit = L2Norm()(tf.constant(vectors, tf.float32)).numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(unit, vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), rtol=1e-5)


def test_zero_vector_stays_zero_with_a_finite_gradient() -> None:
    zeros = tf.zeros((2, 3))
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        unit = L2Norm()(zeros)
    assert not unit.numpy().any()
    assert np.isfinite(tape.gradient(unit, zeros)).all()


def test_length_is_computed_in_float32_where_float16_would_overflow() -> None:
    unit = L2Norm(dtype="mixed_float16")(tf.constant([[300.0, 400.0]]))
    assert unit.dtype == tf.float16
    np.testing.assert_allclose(unit, [[0.6, 0.8]], rtol=1e-3)


def test_shape_of_symbolic_inputs_is_kept() -> None:
    assert L2Norm()(keras.Input((4, 3))).shape == (None, 4, 3)
