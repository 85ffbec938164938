import keras
import numpy as np
import tensorflow as tf

from tfdual.blocks import L2Norm


def test_vectors_keep_their_direction_and_get_length_1() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32") * [[[1e-3], [1], [50], [1e3], [1e5]]]
    unit = L2Norm()(tf.constant(vectors, tf.float32)).numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(unit, vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), rtol=1e-5)


def test_very_short_and_very_long_vectors_get_length_1() -> None:
    direction = np.random.default_rng(0).normal(size=(1, 16))
    lengths = np.array([[1e-30], [1e-20], [1e-9], [1.0], [1e15], [1e20], [1e38]])
    unit = L2Norm()(tf.constant(direction / np.abs(direction).max() * lengths, tf.float32)).numpy()
    np.testing.assert_allclose(unit, np.repeat(direction / np.linalg.norm(direction), 7, axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(L2Norm()(tf.constant([[0.0, -3e38]])), [[0.0, -1.0]])


def test_no_row_gives_no_row() -> None:
    assert L2Norm()(tf.zeros((0, 3))).shape == (0, 3)


def test_gradient_is_that_of_the_direction() -> None:
    """`(g - u (u . g)) / |x|`, also where one number is all of the vector, and where two are the largest."""
    vectors = np.array([[3.0, -1.0, 0.5], [0.0, 2.0, 0.0], [5.0, 5.0, -5.0], [1e-9, 2e-9, 0.0], [1e20, 0.0, 3e20]])
    weights = np.array([0.3, -1.0, 2.0])
    given = tf.constant(vectors, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(L2Norm()(given) * weights.astype("float32"))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / lengths
    expected = weights - unit * (unit @ weights)[:, None]
    np.testing.assert_allclose(tape.gradient(total, given).numpy() * lengths, expected, atol=1e-5)


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
