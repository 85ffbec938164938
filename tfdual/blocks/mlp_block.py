"""Dense layers one after another."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block


@register
class MLPBlock(Block):
    """Multi-layer perceptron: for each width a Dense layer, then normalisation and dropout where asked for.

    Args:
        dimensions: sequence of int. Units of each layer.
        activation: str. Defaults to `"relu"`.
        use_bias: bool. Defaults to `True`.
        dropout: float. Share of units dropped after each layer but the last. Defaults to 0.
        normalization: str. `"layer"` or `"batch"` normalisation before each activation. Defaults to `None`.
        no_activation_last_layer: bool. Leave the last layer linear. Defaults to `False`.

    Input: `(batch, width)`.
    Output: `(batch, dimensions[-1])`.

    Raises:
        ValueError: no dimension, one below 1, dropout outside [0, 1), an unknown normalisation.

    Example:
        >>> tuple(MLPBlock([128, 64])(keras.ops.ones((2, 10))).shape)
        (2, 64)
    """

    def __init__(
        self,
        dimensions: Sequence[int],
        activation: str = "relu",
        use_bias: bool = True,
        dropout: float = 0.0,
        normalization: str | None = None,
        no_activation_last_layer: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not dimensions or min(dimensions) < 1:
            raise ValueError(f"MLPBlock needs at least one dimension, each at least 1. Received {list(dimensions)}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1). Received {dropout}.")
        if normalization not in (None, "layer", "batch"):
            raise ValueError(f"normalization is None, 'layer' or 'batch'. Received {normalization!r}.")
        self.dimensions = list(dimensions)
        self.activation = activation
        self.use_bias = use_bias
        self.dropout = dropout
        self.normalization = normalization
        self.no_activation_last_layer = no_activation_last_layer

    def build(self, input_shape: Shape) -> None:
        last = len(self.dimensions) - 1
        self.layers = [
            layer for place, units in enumerate(self.dimensions) for layer in self._one_layer(units, place == last)
        ]
        for layer in self.layers:
            build_once(layer, input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def _one_layer(self, units: int, last: bool) -> list[keras.layers.Layer]:
        linear = last and self.no_activation_last_layer
        activation = None if linear else self.activation
        if linear or self.normalization is None:
            layers = [keras.layers.Dense(units, activation, use_bias=self.use_bias)]
        else:
            layers = [keras.layers.Dense(units, use_bias=self.use_bias), self._normalization()]
            layers.append(keras.layers.Activation(activation))
        return layers if last or not self.dropout else [*layers, keras.layers.Dropout(self.dropout)]

    def _normalization(self) -> keras.layers.Layer:
        return keras.layers.LayerNormalization() if self.normalization == "layer" else keras.layers.BatchNormalization()

    def call(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.dimensions[-1])

    def get_config(self) -> dict:
        return super().get_config() | {
            "dimensions": self.dimensions,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "normalization": self.normalization,
            "no_activation_last_layer": self.no_activation_last_layer,
        }
