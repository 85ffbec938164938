"""A layer and a way around it."""

from typing import Any

import keras

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block, LayerLike


@register
class ResidualBlock(Block):
    """Add the input to what a layer makes of it: `activation(x + block(x))`.

    Args:
        block: Keras layer that keeps the width.
        activation: str, callable or layer of Keras. Defaults to `None`: linear.

    Input and output: `(..., dim)`.

    Raises:
        ValueError: the layer changes the width.

    Example:
        >>> tuple(ResidualBlock(keras.layers.Dense(4))(keras.ops.ones((3, 4))).shape)
        (3, 4)

    Reference: He et al., 2015, arXiv:1512.03385
    """

    def __init__(self, block: LayerLike, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = self.parse(block)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Shape) -> None:
        build_once(self.block, input_shape)
        if isinstance(self.activation, keras.layers.Layer):
            build_once(self.activation, input_shape)
        if (given := self.block.compute_output_shape(input_shape))[-1] != input_shape[-1]:
            raise ValueError(
                f"A residual block adds its input, so widths must agree. The input has {input_shape[-1]}, "
                f"'{self.block.name}' gives {given[-1]}. End it in a Dense layer of {input_shape[-1]} units."
            )

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs + self.block(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {
            "block": serialized(self.block),
            "activation": keras.activations.serialize(self.activation),
        }
