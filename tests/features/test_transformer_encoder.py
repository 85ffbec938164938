import numpy as np
import pytest
import tensorflow as tf

from tests.features.sequences import LENGTHS, MASK, ROWS
from tests.transformer_by_hand import named_weights, transformed
from tfdual.features import TransformerEncoder


def encoded(encoder: TransformerEncoder, entries: np.ndarray) -> np.ndarray:
    """The rows of one list after all layers, by hand."""
    weights, entries = named_weights(encoder), entries[-encoder.max_length :].astype("float64")
    return transformed(weights, entries + weights["positions"][: len(entries)], encoder.num_layers, encoder.causal)


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
        ({"num_layers": 0}, "at least 1. Received {'num_layers': 0}"),
        ({"num_heads": 0}, "at least 1. Received {'num_heads': 0}"),
        ({"max_length": 0}, "at least 1. Received {'max_length': 0}"),
        ({"feed_forward_dim": 0}, "at least 1. Received {'feed_forward_dim': 0}"),
        ({"dropout": 1.0}, r"dropout is a share in \[0, 1\). Received 1.0"),
        ({"pooling": "max"}, "pooling is one of .*Received 'max'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(**arguments)


def test_width_that_the_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="must divide it. Received a width of 4 and num_heads=3"):
        TransformerEncoder(num_heads=3).build((None, None, 4))
