from pathlib import Path

import keras
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


def test_each_layer_can_have_its_own_activation() -> None:
    block = randomized(MLPBlock([4, 3], activation=["tanh", keras.activations.relu]))
    np.testing.assert_allclose(block(INPUTS), by_hand(block, [np.tanh, relu]), rtol=1e-5, atol=1e-6)


def test_activation_layer_is_copied_for_each_layer() -> None:
    block = MLPBlock([4, 3], activation=keras.layers.PReLU("ones"))
    block(INPUTS)
    assert [weight.path.split("/", 1)[1] for weight in block.weights if weight.ndim == 1] == [
        "dense_0/bias",
        "activation_0/alpha",
        "dense_1/bias",
        "activation_1/alpha",
    ]


def test_named_vectors_are_concatenated_in_the_order_of_their_names() -> None:
    block = randomized(MLPBlock([4, 3]))
    one, two = INPUTS[:, :2], INPUTS[:, 2:]
    for inputs in ({"b": two, "a": one}, {"a": one, "b": two}):
        np.testing.assert_array_equal(block(inputs), block(INPUTS))
    named = MLPBlock([4])
    assert named({"a": one, "b": two}).shape == (6, 4)
    assert named.compute_output_shape({"a": (None, 2), "b": (None, 3)}) == (None, 4)


def test_leading_dimensions_are_kept() -> None:
    block = randomized(MLPBlock([4, 3]))
    found = block(tf.reshape(INPUTS, (2, 3, 5)))
    np.testing.assert_allclose(tf.reshape(found, (6, 3)), block(INPUTS), rtol=1e-5, atol=1e-6)
    assert block.compute_output_shape((None, 7, 5)) == (None, 7, 3)


def test_weights_have_readable_paths() -> None:
    block = MLPBlock([4, 3], normalization="layer", name="body")
    block(INPUTS)
    assert [weight.path for weight in block.weights] == [
        "body/dense_0/kernel",
        "body/dense_0/bias",
        "body/normalization_0/gamma",
        "body/normalization_0/beta",
        "body/dense_1/kernel",
        "body/dense_1/bias",
        "body/normalization_1/gamma",
        "body/normalization_1/beta",
    ]


def test_normalization_of_merlin_is_that_of_the_batch() -> None:
    columns = MLPBlock([4], activation="linear", normalization="batch_norm")(INPUTS, training=True).numpy()
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-5)


def test_normalization_layer_is_copied_for_each_dense_layer() -> None:
    given = keras.layers.LayerNormalization(epsilon=1e6, center=False)
    given.build((None, 4))
    block = MLPBlock([4, 3], normalization=given)
    assert np.abs(block(INPUTS)).max() < 1e-2
    assert [weight.shape for weight in block.weights] == [(5, 4), (4,), (4,), (4, 3), (3,), (3,)]
    assert all(given.gamma is not weight for weight in block.weights)


def test_initializers_and_regularizers_are_used() -> None:
    block = MLPBlock(
        [4, 2],
        kernel_initializer=keras.initializers.Constant(0.5),
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L1(0.1),
        bias_regularizer=keras.regularizers.L1(1.0),
    )
    np.testing.assert_allclose(block(tf.ones((1, 5))), [[8, 8]])
    assert float(sum(block.losses)) == pytest.approx(0.1 * 0.5 * (20 + 8) + 4 + 2)


def test_layers_of_one_shape_start_from_different_weights() -> None:
    block = MLPBlock([5, 5], kernel_initializer=keras.initializers.GlorotUniform())
    block(INPUTS)
    kernels = [weight.numpy() for weight in block.weights if weight.ndim == 2]
    assert not np.array_equal(*kernels)


def test_normalization_and_activation_layers_survive_saving(tmp_path: Path) -> None:
    inputs = keras.Input((5,))
    block = MLPBlock([4, 3], activation=keras.layers.PReLU("ones"), normalization=keras.layers.LayerNormalization())
    model = keras.Model(inputs, block(inputs))
    model.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in model.weights])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(INPUTS), model(INPUTS))


def test_input_of_unknown_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"known width. Received \(None, None\)"):
        MLPBlock([4]).build((None, None))
    with pytest.raises(ValueError, match=r"at least one vector. Received an empty dict"):
        MLPBlock([4]).build({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimensions": []}, r"at least one dimension.* Received \[\]"),
        ({"dimensions": [4, 0]}, r"each at least 1.* Received \[4, 0\]"),
        ({"dimensions": [4], "dropout": 1.0}, r"share in \[0, 1\).* Received 1.0"),
        ({"dimensions": [4], "dropout": None}, r"share in \[0, 1\).* Received None; 0 drops nothing"),
        ({"dimensions": [4], "dropout": -0.1}, r"share in \[0, 1\).* Received -0.1"),
        ({"dimensions": [4, 3], "activation": ["relu"]}, r"one for each of its 2 layers. Received 1: \['relu'\]"),
        ({"dimensions": [4], "activation": "rule"}, "Could not interpret activation function identifier: rule"),
        ({"dimensions": [4], "normalization": "group"}, "None, 'layer' or 'batch'. Received 'group'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPBlock(**arguments)
