"""What all sequence encoders promise."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.features.sequences import LENGTHS, MASK, ROWS, WEIGHTS
from tfdual.features import AttentionPooling, GRUEncoder, TransformerEncoder

ENCODERS: dict[str, Callable[[], keras.layers.Layer]] = {
    "attention": AttentionPooling,
    "additive_attention": lambda: AttentionPooling(3),
    "gru": lambda: GRUEncoder(3),
    "gru_of_two_layers": lambda: GRUEncoder(3, num_layers=2),
    "transformer": lambda: TransformerEncoder(2, 2, max_length=5),
    "short_transformer": lambda: TransformerEncoder(1, 2, max_length=3, feed_forward_dim=5),
    "mean_transformer": lambda: TransformerEncoder(2, 2, max_length=5, pooling="mean"),
    "two_way_transformer": lambda: TransformerEncoder(1, 2, max_length=3, causal=False, pooling="mean", dropout=0.1),
}
each_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@each_encoder
def test_empty_list_gives_zeros_and_others_do_not(make: Callable) -> None:
    found = make()(ROWS, MASK).numpy()
    assert not found[1].any()
    assert found[[0, 2, 3]].any(axis=1).all()


@each_encoder
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_appended_padding_and_what_stands_there_change_nothing(make: Callable, weights: np.ndarray | None) -> None:
    layer = make()
    wanted = layer(ROWS, MASK, weights)
    rows = np.concatenate([np.where(MASK[..., None], ROWS, 1e3), np.full((4, 3, 4), -1e3)], axis=1).astype("float32")
    mask = np.pad(MASK, [[0, 0], [0, 3]])
    more = None if weights is None else np.pad(np.where(MASK, weights, 0), [[0, 0], [0, 3]], constant_values=9)
    np.testing.assert_allclose(layer(rows, mask, more), wanted, **CLOSE)


@each_encoder
def test_padding_in_front_and_between_changes_nothing(make: Callable) -> None:
    layer = make()
    rows, mask = np.zeros((4, 12, 4), "float32"), np.zeros((4, 12), bool)
    places = [1, 2, 5, 8, 11]
    rows[:, places], mask[:, places] = ROWS, MASK
    np.testing.assert_allclose(layer(rows, mask), layer(ROWS, MASK), **CLOSE)


@each_encoder
def test_weights_change_the_result_and_ones_do_not(make: Callable) -> None:
    layer = make()
    plain = layer(ROWS, MASK).numpy()
    np.testing.assert_allclose(layer(ROWS, MASK, np.ones_like(WEIGHTS)), plain, **CLOSE)
    assert not np.allclose(layer(ROWS, MASK, WEIGHTS)[2], plain[2])


@each_encoder
def test_each_list_is_read_alone(make: Callable) -> None:
    layer = make()
    whole = layer(ROWS, MASK)
    for row, length in enumerate(LENGTHS):
        alone = layer(ROWS[row : row + 1, :length], MASK[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], whole[row], **CLOSE)


@each_encoder
def test_no_rows_and_lists_of_no_length(make: Callable) -> None:
    layer = make()
    width = layer(ROWS, MASK).shape[1]
    function = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None], tf.bool)]
    )
    for call in (layer, function):
        assert call(ROWS[:0], MASK[:0]).shape == (0, width)
        assert call(ROWS[:0, :0], MASK[:0, :0]).shape == (0, width)
        np.testing.assert_array_equal(call(ROWS[:, :0], MASK[:, :0]), np.zeros((4, width)))


@each_encoder
def test_compiled_by_xla_it_gives_the_same(make: Callable) -> None:
    layer = make()
    found = tf.function(layer, jit_compile=True)(tf.constant(ROWS), tf.constant(MASK), tf.constant(WEIGHTS))
    np.testing.assert_allclose(found, layer(ROWS, MASK, WEIGHTS), rtol=1e-4, atol=1e-5)


@each_encoder
@pytest.mark.parametrize("rows", [ROWS, np.zeros_like(ROWS)])
def test_gradients_are_finite_with_empty_lists(make: Callable, rows: np.ndarray) -> None:
    layer, given = make(), tf.constant(rows)
    layer(given, MASK)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = tf.reduce_sum(layer(given, MASK, WEIGHTS) ** 2)
    gradients = tape.gradient(loss, [given, *(weight.value for weight in layer.trainable_weights)])
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)
    assert not gradients[0].numpy()[~MASK].any(), "what stands at the padding gets no gradient"
