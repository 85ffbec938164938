from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfdual.fusion import GatedFusion

RNG = np.random.default_rng(0)
VECTORS = {name: RNG.normal(size=(5, 3)).astype("float32") for name in ("b", "c", "a")}


def by_hand(kernels: np.ndarray, biases: np.ndarray) -> np.ndarray:
    found = np.zeros((5, 3))
    for kernel, bias, name in zip(kernels, biases, ["a", "b", "c"], strict=True):
        for row, vector in enumerate(VECTORS[name]):
            found[row] += vector / (1 + np.exp(-(kernel @ vector + bias)))
    return found


def test_each_vector_is_scaled_by_a_gate_of_its_own() -> None:
    fusion, kernels, biases = GatedFusion(), RNG.normal(size=(3, 3)), np.array([0.5, -2, 1])
    fusion(VECTORS)
    fusion.set_weights([kernels, biases])
    np.testing.assert_allclose(fusion(VECTORS), by_hand(kernels, biases), rtol=1e-5, atol=1e-6)


def test_bias_can_be_left_out() -> None:
    fusion = GatedFusion(use_bias=False)
    fusion(VECTORS)
    assert [weight.shape for weight in fusion.weights] == [(3, 3)]
    kernels = RNG.normal(size=(3, 3))
    fusion.set_weights([kernels])
    np.testing.assert_allclose(fusion(VECTORS), by_hand(kernels, np.zeros(3)), rtol=1e-5, atol=1e-6)


def test_gate_can_close_one_vector_and_leave_another() -> None:
    fusion = GatedFusion()
    inputs = {"a": tf.ones((2, 3)), "b": tf.fill((2, 3), 7.0)}
    fusion(inputs)
    fusion.set_weights([np.zeros((2, 3)), np.array([-100, 100])])
    np.testing.assert_allclose(fusion(inputs), np.full((2, 3), 7.0), rtol=1e-6)


@pytest.mark.parametrize("use_bias", ["no", None, 1])
def test_bias_that_is_no_bool_is_refused(use_bias: Any) -> None:
    with pytest.raises(TypeError, match=r"use_bias is a bool. Received"):
        GatedFusion(use_bias)
