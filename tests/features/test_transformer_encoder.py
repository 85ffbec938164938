import numpy as np
import pytest
import tensorflow as tf

from tests.features.sequences import LENGTHS, MASK, ROWS
from tfdual.features import TransformerEncoder


def normal(rows: np.ndarray, norm: object) -> np.ndarray:
    gamma, beta = (weight.numpy() for weight in norm.weights)
    mean, variance = rows.mean(axis=-1, keepdims=True), rows.var(axis=-1, keepdims=True)
    return (rows - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta


def attention(rows: np.ndarray, layer: object, causal: bool) -> np.ndarray:
    q_kernel, q_bias, k_kernel, k_bias, v_kernel, v_bias, o_kernel, o_bias = (w.numpy() for w in layer.weights)
    out = np.zeros_like(rows) + o_bias
    for head in range(q_kernel.shape[1]):
        query, key, value = (
            rows @ kernel[:, head] + bias[head]
            for kernel, bias in ((q_kernel, q_bias), (k_kernel, k_bias), (v_kernel, v_bias))
        )
        for i in range(len(rows)):
            seen = i + 1 if causal else len(rows)
            shares = np.exp(key[:seen] @ query[i] / np.sqrt(query.shape[1]))
            out[i] += (shares / shares.sum()) @ value[:seen] @ o_kernel[head]
    return out


def encoded(encoder: TransformerEncoder, entries: np.ndarray) -> np.ndarray:
    """The rows of one list after all layers, by loops over heads and entries."""
    entries = entries[-encoder.max_length :].astype("float64")
    rows = entries + encoder.positions.numpy()[: len(entries)]
    for layer in encoder.layers:
        rows = rows + attention(normal(rows, layer.attention_norm), layer.attention, encoder.causal)
        wide, wide_bias, narrow, narrow_bias = (w.numpy() for w in (*layer.widened.weights, *layer.narrowed.weights))
        hidden = np.maximum(normal(rows, layer.feed_forward_norm) @ wide + wide_bias, 0)
        rows = rows + hidden @ narrow + narrow_bias
    return normal(rows, encoder.norm)


def with_distinct_weights(encoder: TransformerEncoder) -> TransformerEncoder:
    encoder.build((None, None, 4))
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return encoder


@pytest.mark.parametrize("max_length", [5, 3, 50])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_output_is_that_of_the_papers_layers(max_length: int, causal: bool, pooling: str) -> None:
    encoder = with_distinct_weights(
        TransformerEncoder(2, 2, max_length, feed_forward_dim=7, causal=causal, pooling=pooling)
    )
    found = encoder(ROWS, MASK)
    for row, length in enumerate(LENGTHS):
        if length:
            rows = encoded(encoder, ROWS[row, :length])
            np.testing.assert_allclose(found[row], rows[-1] if pooling == "last" else rows.mean(axis=0), atol=2e-5)


def test_later_entry_does_not_change_an_earlier_state() -> None:
    encoder = with_distinct_weights(TransformerEncoder(2, 2, max_length=5))
    mask = tf.ones((4, 5), tf.bool)
    changed = ROWS.copy()
    changed[:, 3:] += np.array([9.0, -5.0, 3.0, 1.0])
    before, after = (encoder._encoded(tf.constant(rows), mask).numpy() for rows in (ROWS, changed))
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-5, atol=1e-6)
    assert not np.allclose(after[:, 3], before[:, 3])


def test_later_entry_changes_an_earlier_state_where_it_is_not_causal() -> None:
    encoder = with_distinct_weights(TransformerEncoder(2, 2, max_length=5, causal=False))
    changed = ROWS.copy()
    changed[:, 4] += np.array([9.0, -5.0, 3.0, 1.0])
    before, after = (encoder._encoded(tf.constant(rows), tf.ones((4, 5), tf.bool)).numpy() for rows in (ROWS, changed))
    assert not np.allclose(after[:, 0], before[:, 0], rtol=1e-3)


def test_last_entries_of_a_long_list_are_read() -> None:
    encoder = with_distinct_weights(TransformerEncoder(2, 2, max_length=3))
    full = np.ones((4, 5), bool)
    np.testing.assert_allclose(encoder(ROWS, full), encoder(ROWS[:, 2:], full[:, 2:]), rtol=1e-5, atol=1e-6)


def test_order_of_the_entries_matters() -> None:
    encoder = with_distinct_weights(TransformerEncoder(1, 2, max_length=5, causal=False, pooling="mean"))
    full = np.ones((4, 5), bool)
    assert not np.allclose(encoder(ROWS, full), encoder(ROWS[:, ::-1], full), rtol=1e-2)


def test_dropout_acts_in_training_alone_and_follows_the_seed() -> None:
    encoders = [TransformerEncoder(1, 2, 5, dropout=0.5, seed=seed) for seed in (3, 3, 4)]
    for encoder in encoders:
        encoder.build((None, None, 4))
        encoder.set_weights(encoders[0].get_weights())
    plain = [encoder(ROWS, MASK).numpy() for encoder in encoders]
    np.testing.assert_array_equal(plain[0], plain[2])
    dropped = [encoder(ROWS, MASK, training=True).numpy() for encoder in encoders]
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert not np.allclose(dropped[0], dropped[2])
    assert not np.allclose(dropped[0], plain[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, "are at least 1. Received 0, 2, 50 and None"),
        ({"num_heads": 0}, "are at least 1. Received 2, 0, 50 and None"),
        ({"max_length": 0}, "are at least 1. Received 2, 2, 0 and None"),
        ({"feed_forward_dim": 0}, "are at least 1. Received 2, 2, 50 and 0"),
        ({"dropout": 1.0}, r"dropout is a share in \[0, 1\). Received 1.0"),
        ({"pooling": "max"}, "pooling is one of .*Received 'max'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(**arguments)


def test_width_that_the_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="3 heads need rows whose width is a multiple of that. Received width 4"):
        TransformerEncoder(num_heads=3).build((None, None, 4))
