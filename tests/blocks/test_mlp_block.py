import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import MLPBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(6, 5)), tf.float32)


def randomized(block: MLPBlock) -> MLPBlock:
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def by_hand(block: MLPBlock, activations: list) -> np.ndarray:
    found, weights = INPUTS.numpy(), block.get_weights()
    for activation in activations:
        kernel, bias = weights.pop(0), weights.pop(0)
        found = activation(found @ kernel + bias)
    return found


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def test_layers_are_dense_then_activation() -> None:
    block = randomized(MLPBlock([4, 3]))
    np.testing.assert_allclose(block(INPUTS), by_hand(block, [relu, relu]), rtol=1e-5, atol=1e-6)


def test_activation_is_used() -> None:
    block = randomized(MLPBlock([4, 3], activation="tanh"))
    np.testing.assert_allclose(block(INPUTS), by_hand(block, [np.tanh, np.tanh]), rtol=1e-5, atol=1e-6)


def test_last_layer_can_stay_linear() -> None:
    block = randomized(MLPBlock([4, 3], no_activation_last_layer=True))
    found = block(INPUTS).numpy()
    np.testing.assert_allclose(found, by_hand(block, [relu, lambda values: values]), rtol=1e-5, atol=1e-6)
    assert (found < 0).any()


def test_bias_can_be_left_out() -> None:
    block = MLPBlock([4, 3], use_bias=False)
    assert not block(tf.zeros((1, 5))).numpy().any()
    assert [weight.shape for weight in block.weights] == [(5, 4), (4, 3)]


def test_layer_normalization_comes_before_the_activation() -> None:
    rows = MLPBlock([50], activation="linear", normalization="layer")(INPUTS).numpy()
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(rows.std(axis=1), 1, rtol=0.05)
    assert MLPBlock([50], normalization="layer")(INPUTS).numpy().min() == 0


def test_batch_normalization_learns_its_statistics_in_training_only() -> None:
    block = MLPBlock([4], activation="linear", normalization="batch")
    columns = block(INPUTS, training=True).numpy()
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-5)
    assert not np.allclose(block(INPUTS).numpy().mean(axis=0), 0, atol=1e-3)


def test_normalization_leaves_a_linear_last_layer_alone() -> None:
    block = MLPBlock([4, 3], normalization="layer", no_activation_last_layer=True)
    block.build((None, 5))
    assert [type(layer).__name__ for layer in block.layers] == ["Dense", "LayerNormalization", "Activation", "Dense"]


def test_dropout_zeroes_its_share_in_training_only() -> None:
    block = MLPBlock([400, 400], activation="sigmoid", dropout=0.25, no_activation_last_layer=True)
    block(INPUTS)
    block.set_weights([*block.get_weights()[:2], np.eye(400), np.zeros(400)])
    assert np.mean(block(INPUTS, training=True).numpy() == 0) == pytest.approx(0.25, abs=0.05)
    assert (block(INPUTS, training=False).numpy() > 0).all()


def test_dropout_is_after_each_layer_but_the_last() -> None:
    block = MLPBlock([4, 3, 2], dropout=0.5)
    block.build((None, 5))
    assert [type(layer).__name__ for layer in block.layers] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_build_twice_makes_the_layers_once() -> None:
    block = MLPBlock([4, 3])
    block(INPUTS)
    block(INPUTS)
    assert len(block.weights) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimensions": []}, r"at least one dimension.* Received \[\]"),
        ({"dimensions": [4, 0]}, r"each at least 1.* Received \[4, 0\]"),
        ({"dimensions": [4], "dropout": 1.0}, r"share in \[0, 1\).* Received 1.0"),
        ({"dimensions": [4], "dropout": -0.1}, r"share in \[0, 1\).* Received -0.1"),
        ({"dimensions": [4], "normalization": "group"}, "None, 'layer' or 'batch'. Received 'group'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPBlock(**arguments)
