"""The rows of a list -> the last state of a recurrent network."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.sequence_places import last_places, take_places


@register
class GRUEncoder(keras.layers.Layer):
    """Read a list from its first to its last entry, and give the last state.

    Each layer is a `keras.layers.GRU`; the output is the last layer's state after the last entry. Padding may stand
    anywhere; it is skipped. An empty list gives zeros. With weights, each row is multiplied by its own before it is
    read.

    Args:
        units: int. Width of the state.
        num_layers: int. Defaults to 1.

    Input: rows `(batch, length, dim)`, mask `(batch, length)`, true where there is an entry; weights `(batch, length)`.
    Output: `(batch, units)`.

    Raises:
        ValueError: `units` or `num_layers` is below 1.

    Example:
        >>> state = GRUEncoder(8)(ops.ones((2, 3, 4)), ops.ones((2, 3), dtype="bool"))
        >>> tuple(state.shape)
        (2, 8)

    Reference: Cho et al., 2014, arXiv:1406.1078; Hidasi et al., 2016, arXiv:1511.06939
    """

    def __init__(self, units: int, num_layers: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1 or num_layers < 1:
            raise ValueError(f"GRUEncoder needs units >= 1 and num_layers >= 1. Received {units} and {num_layers}.")
        self.units = units
        self.num_layers = num_layers

    def build(self, input_shape: Shape) -> None:
        self.layers = [
            keras.layers.GRU(
                self.units, return_sequences=place < self.num_layers - 1, name=f"gru_{place}", dtype=self.dtype_policy
            )
            for place in range(self.num_layers)
        ]
        for layer in self.layers:
            build_once(layer, input_shape)
            input_shape = (*input_shape[:-1], self.units)

    def call(self, rows: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
        rows = rows if weights is None else rows * weights[..., None]
        places, mask = last_places(mask)
        rows = take_places(rows, places, mask)
        some = mask[:, :1]
        # cuDNN takes no list that is masked as a whole: an empty one reads a row of zeros, and is left out below.
        read = ops.concatenate([ops.ones_like(some), mask[:, 1:]], axis=1)
        for layer in self.layers:
            rows = layer(rows, mask=read)
        return ops.where(some, rows, ops.zeros_like(rows))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.units)

    def get_config(self) -> dict:
        return super().get_config() | {"units": self.units, "num_layers": self.num_layers}
