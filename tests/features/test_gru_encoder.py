import numpy as np
import pytest

from tests.features.sequences import LENGTHS, MASK, ROWS
from tfdual.features import GRUEncoder


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def states(layer: object, entries: np.ndarray) -> np.ndarray:
    """All states of one GRU, by the formula, with the reset gate after the product as cuDNN has it."""
    kernel, recurrent, bias = (weight.numpy() for weight in layer.weights)
    state, found = np.zeros(recurrent.shape[0]), []
    for x in entries:
        x_update, x_reset, x_new = np.split(x @ kernel + bias[0], 3)
        h_update, h_reset, h_new = np.split(state @ recurrent + bias[1], 3)
        update = sigmoid(x_update + h_update)
        new = np.tanh(x_new + sigmoid(x_reset + h_reset) * h_new)
        state = update * state + (1 - update) * new
        found.append(state)
    return np.array(found)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_output_is_the_last_layers_state_after_the_last_entry(num_layers: int) -> None:
    layer = GRUEncoder(6, num_layers)
    found = layer(ROWS, MASK)
    for row, length in enumerate(LENGTHS):
        if length:
            entries = ROWS[row, :length]
            for gru in layer.layers:
                entries = states(gru, entries)
            np.testing.assert_allclose(found[row], entries[-1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"units": 0}, {"units": 3, "num_layers": 0}])
def test_bad_arguments_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="units >= 1 and num_layers >= 1"):
        GRUEncoder(**arguments)
