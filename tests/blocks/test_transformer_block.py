import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual.blocks import TransformerBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(5, 3, 4)), tf.float32)
MASK = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]], bool)


def randomized(**arguments: object) -> TransformerBlock:
    block = TransformerBlock(**({"num_layers": 2, "num_heads": 2, "hidden_dim": 7} | arguments), name="body")
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def by_hand(block: TransformerBlock, inputs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The sequence of one row at a time, of the features that it has alone."""
    weights = {weight.path.removeprefix("body/"): weight.numpy() for weight in block.weights}
    sequences = np.zeros(inputs.shape)
    for row, present in enumerate(mask):
        if present.any():
            sequences[row, present] = encoded(weights, (inputs[row] + weights["place_embeddings"])[present])
    return sequences


def encoded(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    for layer in range(2):
        added = f"feed_forward_{layer}/added"
        x = x + attention(weights, f"attention_{layer}", normal(weights, f"attention_normalization_{layer}", x))
        hidden = normal(weights, f"{added}/normalization_{layer}", x) @ weights[f"{added}/hidden_{layer}/kernel"]
        active = gelu(hidden + weights[f"{added}/hidden_{layer}/bias"])
        x = x + active @ weights[f"{added}/dense_{layer}/kernel"] + weights[f"{added}/dense_{layer}/bias"]
    return normal(weights, "normalization", x)


def attention(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    found = np.zeros(x.shape)
    for head in range(2):
        query, key, value = (x @ weights[f"{name}/{part}/kernel"][:, head] for part in ("query", "key", "value"))
        scores = np.exp(query @ key.T / np.sqrt(2))
        shares = scores / scores.sum(axis=1, keepdims=True)
        found += shares @ value @ weights[f"{name}/attention_output/kernel"][head]
    return found


def normal(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6) * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


def test_sequence_is_that_of_the_papers_by_hand() -> None:
    block = randomized(pooling=None)
    expected = by_hand(block, INPUTS.numpy(), np.ones((5, 3), bool))
    np.testing.assert_allclose(block(INPUTS), expected, rtol=1e-3, atol=1e-4)


def test_masked_features_neither_give_nor_receive() -> None:
    block = randomized(pooling=None)
    found = block(INPUTS, mask=MASK)
    np.testing.assert_allclose(found, by_hand(block, INPUTS.numpy(), MASK), rtol=1e-3, atol=1e-4)
    other = np.where(MASK[..., None], INPUTS, np.nan).astype("float32")
    np.testing.assert_array_equal(block(other, mask=MASK), found)


def test_mean_is_over_the_features_that_are_there() -> None:
    sequence = randomized(pooling=None)(INPUTS, mask=MASK).numpy()
    expected = [
        row[present].mean(axis=0) if present.any() else np.zeros(4) for row, present in zip(sequence, MASK, strict=True)
    ]
    np.testing.assert_allclose(randomized()(INPUTS, mask=MASK), expected, rtol=1e-5, atol=1e-6)


def test_row_without_features_is_zeros_with_finite_gradients() -> None:
    for pooling in ("mean", "first", None):
        block = randomized(pooling=pooling, dropout=0.1)
        with tf.GradientTape() as tape:
            found = block(INPUTS, mask=np.zeros((5, 3), bool), training=True)
            loss = tf.reduce_sum(found)
        assert not found.numpy().any()
        gradients = tape.gradient(loss, [weight.value for weight in block.trainable_weights])
        assert all(np.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def test_first_is_the_vector_of_the_first_place() -> None:
    np.testing.assert_array_equal(randomized(pooling="first")(INPUTS), randomized(pooling=None)(INPUTS)[:, 0])


def test_order_of_the_features_matters_through_their_place_embeddings_alone() -> None:
    block, order = randomized(), [2, 0, 1]
    before = block(INPUTS).numpy()
    permuted = tf.gather(INPUTS, order, axis=1)
    assert np.abs(block(permuted) - before).max() > 0.01
    block.place_embeddings.assign(tf.gather(block.place_embeddings.value, order))
    np.testing.assert_allclose(block(permuted), before, rtol=1e-4, atol=1e-5)


def test_named_vectors_are_stacked_in_the_order_of_their_names() -> None:
    block = randomized()
    named = {"c": INPUTS[:, 2], "a": INPUTS[:, 0], "b": INPUTS[:, 1]}
    np.testing.assert_array_equal(block(named), block(INPUTS))
    np.testing.assert_array_equal(block(named, mask=MASK), block(INPUTS, mask=MASK))
    assert block.compute_output_shape({"b": (None, 4), "a": (None, 4)}) == (None, 4)


def test_mask_of_keras_is_used_and_goes_on_with_the_sequence() -> None:
    block = randomized(pooling=None)
    padded = np.where(MASK[..., None], INPUTS, 0.0).astype("float32")
    found = block(keras.layers.Masking()(padded))
    np.testing.assert_array_equal(found, block(INPUTS, mask=MASK))
    np.testing.assert_array_equal(found._keras_mask, MASK)


def test_dropout_is_of_training_only() -> None:
    block = randomized(dropout=0.5)
    np.testing.assert_allclose(block(INPUTS), randomized()(INPUTS), rtol=1e-5, atol=1e-6)
    assert np.abs(block(INPUTS, training=True) - block(INPUTS)).max() > 0.1


def test_hidden_width_is_four_times_the_input_where_it_is_not_given() -> None:
    block = TransformerBlock(num_heads=2)
    block.build((None, 3, 4))
    assert (4, 16) in [weight.shape for weight in block.weights]
    assert block.compute_output_shape((None, 3, 4)) == (None, 4)
    assert TransformerBlock(pooling=None).compute_output_shape((None, 3, 4)) == (None, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "at least 1. Received {'num_layers': 0}"),
        ({"num_heads": 0}, "at least 1. Received {'num_heads': 0}"),
        ({"hidden_dim": 0}, "at least 1. Received {'hidden_dim': 0}"),
        ({"dropout": 1.0}, r"share in \[0, 1\). Received 1.0"),
        ({"pooling": "max"}, "'mean', 'first' or None. Received 'max'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerBlock(**arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((None, 3, 6), "must divide it. Received a width of 6 and num_heads=4"),
        ((None, 12), r"is \(batch, features, dim\).* Received \(None, 12\)"),
        ((None, None, 8), r"of known sizes. Received \(None, None, 8\)"),
        ({"a": (None, 8), "b": (None, 4)}, "vectors of one width"),
        ({}, "at least one vector"),
    ],
)
def test_bad_inputs_are_refused(shape: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerBlock().build(shape)
