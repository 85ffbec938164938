import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import CrossBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), tf.float32)


def randomized(block: CrossBlock) -> CrossBlock:
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def by_hand(matrices: list[np.ndarray], biases: list[np.ndarray]) -> np.ndarray:
    """The paper's formula for one row and one coordinate at a time; a matrix takes a column vector."""
    found = np.zeros(INPUTS.shape)
    for row, first in enumerate(INPUTS.numpy()):
        current = first
        for matrix, bias in zip(matrices, biases, strict=True):
            current = [
                first[i] * (sum(matrix[i, j] * current[j] for j in range(3)) + bias[i]) + current[i] for i in range(3)
            ]
        found[row] = current
    return found


def test_full_rank_is_the_formula_of_the_paper() -> None:
    block = randomized(CrossBlock(depth=3))
    weights = block.get_weights()
    np.testing.assert_allclose(block(INPUTS), by_hand([w.T for w in weights[::2]], weights[1::2]), rtol=1e-4)


def test_low_rank_is_the_formula_of_the_paper() -> None:
    block = randomized(CrossBlock(depth=2, low_rank_dim=2))
    weights = block.get_weights()
    assert [weight.shape for weight in weights] == [(3, 2), (2, 3), (3,)] * 2
    matrices = [up.T @ down.T for down, up in zip(weights[::3], weights[1::3], strict=True)]
    np.testing.assert_allclose(block(INPUTS), by_hand(matrices, weights[2::3]), rtol=1e-4)


def test_each_layer_raises_the_degree_by_one() -> None:
    block = CrossBlock(depth=3, kernel_initializer="ones", use_bias=False)
    found = block(tf.constant([[1.0], [2.0], [3.0]])).numpy()[:, 0]
    np.testing.assert_allclose(found, [x * (1 + x) ** 3 for x in (1, 2, 3)])


def test_bias_can_be_left_out() -> None:
    block = CrossBlock(depth=2, use_bias=False, name="body")
    block(INPUTS)
    assert [weight.path for weight in block.weights] == ["body/cross/cross_0/kernel", "body/cross/cross_1/kernel"]


def test_initializers_and_regularizers_are_used() -> None:
    block = CrossBlock(
        low_rank_dim=2,
        kernel_initializer="ones",
        kernel_regularizer=keras.regularizers.L1(0.1),
    )
    np.testing.assert_allclose(block(tf.ones((1, 3))), [[7, 7, 7]])
    assert float(sum(block.losses)) == pytest.approx(0.1 * (6 + 6))


def test_layers_start_from_different_weights() -> None:
    block = CrossBlock(depth=2, use_bias=False, kernel_initializer=keras.initializers.TruncatedNormal())
    block(INPUTS)
    assert not np.array_equal(*block.get_weights())


def test_named_vectors_are_concatenated_in_the_order_of_their_names() -> None:
    block = randomized(CrossBlock(depth=2))
    np.testing.assert_array_equal(block({"b": INPUTS[:, 2:], "a": INPUTS[:, :2]}), block(INPUTS))
    assert block.compute_output_shape({"b": (None, 1), "a": (None, 2)}) == (None, 3)


@pytest.mark.parametrize("arguments", [{"depth": 0}, {"low_rank_dim": -1}])
def test_sizes_below_1_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match=rf"needs an integer {next(iter(arguments))} >= 1. Received"):
        CrossBlock(**arguments)


def test_initializer_may_be_a_function() -> None:
    def halves(shape: tuple, dtype: str) -> tf.Tensor:
        return tf.fill(shape, tf.cast(0.5, dtype))

    layer = CrossBlock(depth=2, low_rank_dim=1, use_bias=False, kernel_initializer=halves)
    layer(INPUTS)
    assert len(layer.weights) == 4
    assert all((weight.numpy() == 0.5).all() for weight in layer.weights)
