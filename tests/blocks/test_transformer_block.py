import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.transformer_by_hand import named_weights, transformed
from tfdual.blocks import TransformerBlock

INPUTS = tf.constant(np.random.default_rng(0).normal(size=(5, 3, 4)), tf.float32)
MASK = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 1]], bool)


def randomized(**arguments: object) -> TransformerBlock:
    block = TransformerBlock(**({"num_layers": 2, "num_heads": 2, "feed_forward_dim": 7} | arguments), name="body")
    block(INPUTS)
    block.set_weights([np.random.default_rng(1).normal(size=weight.shape) for weight in block.weights])
    return block


def by_hand(block: TransformerBlock, inputs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The sequence of one row at a time, of the features that it has alone."""
    weights = named_weights(block)
    sequences = np.zeros(inputs.shape)
    for row, present in enumerate(mask):
        if present.any():
            features = (inputs[row] + weights["place_embeddings"])[present]
            sequences[row, present] = transformed(weights, features, num_layers=2)
    return sequences


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


def test_dropout_follows_the_seed() -> None:
    blocks = [randomized(dropout=0.5, seed=seed) for seed in (3, 3, 4)]
    dropped = [block(INPUTS, training=True).numpy() for block in blocks]
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert not np.allclose(dropped[0], dropped[2])


def test_feed_forward_width_is_four_times_the_input_where_it_is_not_given() -> None:
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
        ({"feed_forward_dim": 0}, "at least 1. Received {'feed_forward_dim': 0}"),
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


def test_mask_of_named_vectors_is_that_of_their_stack() -> None:
    named = {"c": INPUTS[:, 2], "a": INPUTS[:, 0], "b": INPUTS[:, 1]}
    for pooling in ("mean", "first", None):
        block = randomized(pooling=pooling)
        wanted = block(INPUTS, mask=MASK)
        by_name = {"a": MASK[:, 0], "b": MASK[:, 1], "c": MASK[:, 2]}
        np.testing.assert_array_equal(block(named, mask=by_name), wanted)
        some = block(named, mask={"b": MASK[:, 1], "a": None})
        np.testing.assert_array_equal(some, block(INPUTS, mask=MASK | np.array([True, False, True])))
    np.testing.assert_array_equal(randomized(pooling=None)(named, mask=by_name)._keras_mask, MASK)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"d": MASK[:, 0]}, r"mask has the names \['d'\]. The vectors are \['a', 'b', 'c'\]"),
        ({"a": MASK}, r"Each mask is \(batch,\).*\(5, 3\)"),
    ],
)
def test_mask_of_other_names_or_sizes_is_refused(mask: dict, message: str) -> None:
    named = {"c": INPUTS[:, 2], "a": INPUTS[:, 0], "b": INPUTS[:, 1]}
    with pytest.raises(ValueError, match=message):
        randomized()(named, mask=mask)
