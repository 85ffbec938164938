import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import DenseResidualBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(6, 5)), tf.float32)


def randomized(block: DenseResidualBlock) -> DenseResidualBlock:
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def test_layer_adds_its_input_before_the_activation() -> None:
    block = randomized(DenseResidualBlock(normalization=None))
    kernel, bias = block.get_weights()
    x = INPUTS.numpy()
    np.testing.assert_allclose(block(INPUTS), relu(x + x @ kernel + bias), rtol=1e-5, atol=1e-5)


def test_normalization_is_over_each_vector_and_before_the_sum() -> None:
    block = randomized(DenseResidualBlock(activation="linear"))
    kernel, bias, gamma, beta = block.get_weights()
    x = INPUTS.numpy()
    y = x @ kernel + bias
    normal = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(block(INPUTS), x + normal * gamma + beta, rtol=1e-4, atol=1e-5)


def test_low_rank_is_two_matrices_and_depth_is_exactly_that_many_layers() -> None:
    block = randomized(DenseResidualBlock(low_rank_dim=2, activation="tanh", normalization=None, depth=3, name="body"))
    assert [weight.shape for weight in block.weights] == [(5, 2), (2, 5), (5,)] * 3
    x, weights = INPUTS.numpy(), block.get_weights()
    for down, up, bias in zip(weights[::3], weights[1::3], weights[2::3], strict=True):
        x = np.tanh(x + x @ down @ up + bias)
    np.testing.assert_allclose(block(INPUTS), x, rtol=1e-4, atol=1e-5)
    assert block.weights[3].path == "body/residual_1/added/dense_1_down/kernel"


def test_layers_start_from_different_weights() -> None:
    block = DenseResidualBlock(depth=2, normalization=None, use_bias=False)
    block(INPUTS)
    assert not np.array_equal(*block.get_weights())


def test_batch_normalization_learns_its_statistics_in_training() -> None:
    block = randomized(DenseResidualBlock(activation="linear", normalization="batch_norm"))
    block.set_weights([*block.get_weights()[:2], np.ones(5), np.zeros(5), np.zeros(5), np.ones(5)])
    added = (block(INPUTS, training=True) - INPUTS).numpy()
    np.testing.assert_allclose(added.mean(axis=0), 0, atol=1e-5)
    assert block.get_weights()[4].any()


def test_dropout_keeps_the_shortcut() -> None:
    block = DenseResidualBlock(activation="linear", dropout=0.5, normalization=None)
    ones = tf.ones((6, 400))
    block(ones)
    block.set_weights([np.eye(400), np.zeros(400)])
    values, counts = np.unique(block(ones, training=True), return_counts=True)
    np.testing.assert_array_equal(values, [1, 3])
    assert counts[0] / counts.sum() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(block(ones), 2 * ones)


def test_named_vectors_are_concatenated_in_the_order_of_their_names() -> None:
    block = randomized(DenseResidualBlock())
    np.testing.assert_array_equal(block({"b": INPUTS[:, 2:], "a": INPUTS[:, :2]}), block(INPUTS))
    assert block.compute_output_shape({"b": (None, 3), "a": (None, 2)}) == (None, 5)


def test_normalization_layer_is_copied() -> None:
    block = DenseResidualBlock(normalization=keras.layers.LayerNormalization(center=False), depth=2)
    block(INPUTS)
    assert [weight.shape for weight in block.weights] == [(5, 5), (5,), (5,)] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, r"at least 1. Received {'depth': 0}"),
        ({"low_rank_dim": 0}, r"at least 1. Received {'low_rank_dim': 0}"),
        ({"dropout": 1.0}, r"share in \[0, 1\). Received 1.0"),
        ({"normalization": "group"}, "Received 'group'"),
        ({"activation": "rule"}, "rule"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenseResidualBlock(**arguments)


def test_activation_layer_is_copied() -> None:
    block = randomized(DenseResidualBlock(activation=keras.layers.PReLU(), depth=2, normalization=None))
    assert [weight.shape for weight in block.weights] == [(5, 5), (5,), (5,)] * 2
    x, weights = INPUTS.numpy(), block.get_weights()
    for kernel, bias, slope in zip(weights[::3], weights[1::3], weights[2::3], strict=True):
        added = x + x @ kernel + bias
        x = np.where(added > 0, added, slope * added)
    np.testing.assert_allclose(block(INPUTS), x, rtol=1e-4, atol=1e-4)
