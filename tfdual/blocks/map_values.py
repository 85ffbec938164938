"""One layer on each value of a dict."""

from typing import Any

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block, LayerLike


@register
class MapValues(Block):
    """Apply one layer, with the same weights, to each value of a dict.

    Args:
        layer: Keras layer.

    Input: dict of name -> tensor, all of one width where the layer has weights.
    Output: dict of name -> what the layer gives.

    Example:
        >>> import keras
        >>> ones = keras.ops.ones((2, 4))
        >>> tuple(MapValues(keras.layers.Dense(3))({"a": ones, "b": ones})["b"].shape)
        (2, 3)
    """

    def __init__(self, layer: LayerLike, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.layer = self.parse(layer)

    def build(self, input_shape: dict[str, Shape]) -> None:
        for shape in input_shape.values():
            build_once(self.layer, shape)

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.layer(value) for name, value in inputs.items()}

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> dict[str, Shape]:
        return {name: self.layer.compute_output_shape(shape) for name, shape in input_shape.items()}

    def get_config(self) -> dict:
        return super().get_config() | {"layer": serialized(self.layer)}
