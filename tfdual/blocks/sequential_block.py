"""Layers one after another."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Tensor


@register
class SequentialBlock(keras.layers.Layer):
    """Apply layers in order.

    Args:
        layers: sequence of Keras layers, at least one.

    Input: what the first layer takes.
    Output: what the last layer gives.

    Raises:
        ValueError: there is no layer.

    Example:
        >>> block = SequentialBlock([keras.layers.Dense(8), keras.layers.Dense(2)])
        >>> tuple(block(keras.ops.ones((3, 4))).shape)
        (3, 2)
    """

    def __init__(self, layers: Sequence[keras.layers.Layer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not layers:
            raise ValueError("SequentialBlock needs at least one layer. Received none.")
        self.layers = list(layers)

    def build(self, input_shape: Any) -> None:
        for layer in self.layers:
            build_once(layer, input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {"layers": [keras.saving.serialize_keras_object(layer) for layer in self.layers]}

    @classmethod
    def from_config(cls, config: dict) -> "SequentialBlock":
        config = dict(config)
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config.pop("layers")]
        return cls(layers, **config)
