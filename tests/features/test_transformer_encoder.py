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


@pytest.mark.parametrize("max_length", [5, 3])
@pytest.mark.parametrize("causal", [True, False])
def test_without_pooling_the_state_of_every_entry_comes_in_front_and_zeros_after(max_length: int, causal: bool) -> None:
    encoder = with_distinct_weights(TransformerEncoder(2, 2, max_length, causal=causal, pooling=None))
    turned = encoder(ROWS[:, ::-1], MASK[:, ::-1])  # the padding stands in front
    found = encoder(ROWS, MASK)
    assert found.shape == turned.shape == (4, max_length, 4)
    for row, length in enumerate(LENGTHS):
        kept = min(length, max_length)
        if length:
            np.testing.assert_allclose(found[row, :kept], encoded(encoder, ROWS[row, :length]), atol=2e-5)
            np.testing.assert_allclose(turned[row, :kept], encoded(encoder, ROWS[row, :length][::-1]), atol=2e-5)
        np.testing.assert_array_equal(found[row, kept:], np.zeros((max_length - kept, 4)))


def test_without_pooling_the_last_state_is_that_of_last_pooling() -> None:
    every, last = (TransformerEncoder(2, 2, 5, pooling=pooling) for pooling in (None, "last"))
    for encoder in (every, last):
        with_distinct_weights(encoder)
    found = every(ROWS, MASK, np.full((4, 5), 0.5, "float32"))
    wanted = last(ROWS, MASK, np.full((4, 5), 0.5, "float32"))
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(found[row, max(length - 1, 0)], wanted[row], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("length", "kept"), [(2, 2), (9, 3), (0, 1), (None, None)])
def test_output_shape_without_pooling_keeps_at_most_the_last_entries(length: int | None, kept: int | None) -> None:
    encoder = with_distinct_weights(TransformerEncoder(1, 2, 3, pooling=None))
    assert encoder.compute_output_shape((6, length, 4)) == (6, kept, 4)
    assert TransformerEncoder(1, 2, 3).compute_output_shape((6, length, 4)) == (6, 4)
    if length is not None:
        assert encoder(np.ones((6, length, 4), "float32"), np.ones((6, length), bool)).shape == (6, kept, 4)


def test_pooling_of_none_is_kept_in_the_config() -> None:
    again = TransformerEncoder.from_config(TransformerEncoder(pooling=None).get_config())
    assert again.pooling is None


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
