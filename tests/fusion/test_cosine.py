import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import CosineFusion

RNG = np.random.default_rng(0)


def test_output_is_the_cosine_whatever_the_lengths() -> None:
    left, right = (RNG.normal(size=(5, 3)) * 10.0 ** RNG.integers(-3, 4, (5, 1)) for _ in range(2))
    wanted = [
        [one @ other / np.linalg.norm(one) / np.linalg.norm(other)] for one, other in zip(left, right, strict=True)
    ]
    inputs = {"query": tf.constant(left, tf.float32), "item": tf.constant(right, tf.float32)}
    np.testing.assert_allclose(CosineFusion()(inputs), wanted, rtol=1e-4)


def test_same_direction_gives_1_and_the_opposite_minus_1() -> None:
    rows = tf.constant([[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(CosineFusion()({"a": rows, "b": rows * [[3.0], [-3.0]]}), [[1], [-1]], rtol=1e-6)


def test_zero_vector_gives_zero_with_a_finite_gradient() -> None:
    zeros = tf.zeros((2, 3))
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        cosine = CosineFusion()({"a": zeros, "b": tf.ones((2, 3))})
    np.testing.assert_array_equal(cosine, [[0], [0]])
    assert np.isfinite(tape.gradient(cosine, zeros)).all()


def test_lengths_are_computed_in_float32_where_float16_would_overflow() -> None:
    inputs = {"a": tf.constant([[300.0, 400.0]]), "b": tf.constant([[500.0, 0.0]])}
    cosine = CosineFusion(dtype="mixed_float16")(inputs)
    assert cosine.dtype == tf.float16
    np.testing.assert_allclose(cosine, [[0.6]], rtol=1e-3)


@pytest.mark.parametrize("names", ["a", "abc"])
def test_another_number_of_vectors_than_two_is_refused(names: str) -> None:
    with pytest.raises(ValueError, match=r"exactly two vectors. Received \['a'"):
        CosineFusion()({name: tf.ones((1, 2)) for name in names})
