import numpy as np
import pytest
import tensorflow as tf

from tests.features.sequences import LENGTHS, MASK, ROWS, WEIGHTS
from tfdual.features import AttentionPooling


def attended(layer: AttentionPooling, weights: np.ndarray | None = None) -> np.ndarray:
    """A loop over the formula of the docstring."""
    query, out = layer.query.numpy()[:, 0], np.zeros((len(LENGTHS), 4))
    for row, length in enumerate(LENGTHS):
        entries = ROWS[row, :length]
        if layer.hidden_dim:
            kernel, bias = (weight.numpy() for weight in layer.hidden.weights)
            shares = np.exp(np.tanh(entries @ kernel + bias) @ query)
        else:
            shares = np.exp(entries @ query / np.sqrt(4))
        if weights is not None:
            shares = shares * weights[row, :length]
        if length:
            out[row] = (shares / shares.sum()) @ entries
    return out


@pytest.mark.parametrize("hidden_dim", [None, 3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_rows_are_summed_by_their_attention(hidden_dim: int | None, weights: np.ndarray | None) -> None:
    layer = AttentionPooling(hidden_dim)
    found = layer(ROWS, MASK, weights)
    np.testing.assert_allclose(found, attended(layer, weights), rtol=1e-5, atol=1e-6)


def test_large_scores_stay_finite_with_their_gradients() -> None:
    layer = AttentionPooling()
    layer.build((None, None, 4))
    with tf.GradientTape() as tape:
        found = layer(1e6 * ROWS, MASK)
        loss = tf.reduce_sum(found)
    assert np.isfinite(found).all()
    assert np.isfinite(tape.gradient(loss, layer.query.value)).all()


def test_list_whose_weights_are_0_gives_zeros() -> None:
    assert not AttentionPooling()(ROWS, MASK, np.zeros_like(WEIGHTS)).numpy().any()


def test_hidden_dim_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden_dim is at least 1, or None. Received 0"):
        AttentionPooling(0)
