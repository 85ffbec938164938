from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import CrossFusion

RNG = np.random.default_rng(0)
VECTORS = {"b": RNG.normal(size=(4, 2)).astype("float32"), "a": RNG.normal(size=(4, 3)).astype("float32")}
ROWS = np.concatenate([VECTORS["a"], VECTORS["b"]], axis=1)


def randomized(fusion: CrossFusion) -> CrossFusion:
    fusion(VECTORS)
    fusion.set_weights([RNG.normal(size=weight.shape) for weight in fusion.weights])
    return fusion


def test_full_rank_is_the_formula_of_the_paper() -> None:
    fusion = randomized(CrossFusion(depth=3))
    kernels, biases = fusion.get_weights()[::2], fusion.get_weights()[1::2]
    wanted = []
    for first in ROWS:
        crossed = first
        for kernel, bias in zip(kernels, biases, strict=True):
            crossed = first * (kernel.T @ crossed + bias) + crossed
        wanted.append(crossed)
    assert [kernel.shape for kernel in kernels] == [(5, 5)] * 3
    np.testing.assert_allclose(fusion(VECTORS), wanted, rtol=1e-4, atol=1e-5)


def test_low_rank_is_the_formula_of_the_paper() -> None:
    fusion = randomized(CrossFusion(depth=2, low_rank_dim=2))
    weights = fusion.get_weights()
    assert [weight.shape for weight in weights] == [(5, 2), (2, 5), (5,)] * 2
    wanted = []
    for first in ROWS:
        crossed = first
        for place in (0, 3):
            down, up, bias = weights[place : place + 3]
            crossed = first * (up.T @ (down.T @ crossed) + bias) + crossed
        wanted.append(crossed)
    np.testing.assert_allclose(fusion(VECTORS), wanted, rtol=1e-4, atol=1e-5)


def test_single_vector_is_crossed_with_itself() -> None:
    fusion = CrossFusion(depth=1)
    fusion({"x": tf.zeros((1, 2))})
    fusion.set_weights([np.array([[0, 1], [1, 0]]), np.zeros(2)])
    np.testing.assert_allclose(fusion({"x": tf.constant([[3.0, 5.0]])}), [[3 * 5 + 3, 5 * 3 + 5]])


def test_output_has_the_width_of_the_concatenation() -> None:
    assert CrossFusion(low_rank_dim=1).compute_output_shape({"a": (None, 2), "b": (None, 5)}) == (None, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "CrossFusion needs an integer depth >= 1. Received 0"),
        ({"depth": 1.5}, "an integer depth >= 1. Received 1.5"),
        ({"low_rank_dim": 0}, "an integer low_rank_dim >= 1. Received 0"),
        ({"low_rank_dim": True}, "an integer low_rank_dim >= 1. Received True"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrossFusion(**arguments)


def test_initializer_may_be_a_function() -> None:
    def halves(shape: tuple, dtype: str) -> tf.Tensor:
        return tf.fill(shape, tf.cast(0.5, dtype))

    layer = CrossFusion(depth=2, low_rank_dim=1, use_bias=False, kernel_initializer=halves)
    layer(VECTORS)
    assert len(layer.weights) == 4
    assert all((weight.numpy() == 0.5).all() for weight in layer.weights)
