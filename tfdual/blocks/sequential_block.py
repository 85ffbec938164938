"""Layers one after another."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdual._build import build_chain, chain_output_shape, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.blocks.block import Block, LayerLike
from tfdual.blocks.handed_on import HANDS_ON, handed_on
from tfdual.schema import Schema


@register
class SequentialBlock(Block):
    """Apply layers in order. A sequence among them is taken apart, so that sequences don't nest.

    Args:
        layers: sequence of Keras layers or names, at least one.

    Input: what the first layer takes.
    Output: what the last layer gives.

    Raises:
        ValueError: there is no layer, or an unknown name.

    Example:
        >>> block = SequentialBlock([keras.layers.Dense(8), "l2-norm"])
        >>> tuple(block(keras.ops.ones((3, 4))).shape)
        (3, 8)
    """

    def __init__(self, layers: Sequence[LayerLike], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not layers:
            raise ValueError("SequentialBlock needs at least one layer. Received none.")
        self.layers = [part for layer in layers for part in _parts(self.parse(layer))]

    def input_blocks(self) -> list[Block]:
        """Those of the first layer that does more than hand columns on."""
        first = self.layers[self._first()]
        return first.input_blocks() if isinstance(first, Block) else []

    def _first(self) -> int:
        return next((place for place, layer in enumerate(self.layers) if not isinstance(layer, HANDS_ON)), 0)

    def build(self, input_shape: Any) -> None:
        build_chain(self.layers, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return chain_output_shape(self.layers, input_shape)

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """The layer called `name`, this block itself, or None."""
        return next((layer for layer in (self, *self.layers) if layer.name == name), None)

    def set_schema(self, schema: Schema) -> "SequentialBlock":
        """A copy of this block, with weights of its own, that reads the columns of `schema`."""
        first = self._first()
        before = [handed_on(layer, schema) if self.is_input else fresh_copy(layer) for layer in self.layers[:first]]
        layer = self.layers[first]
        on_schema = layer.set_schema(schema) if isinstance(layer, Block) else fresh_copy(layer)
        return SequentialBlock([*before, on_schema, *map(fresh_copy, self.layers[first + 1 :])])

    def get_config(self) -> dict:
        return super().get_config() | {"layers": serialized(self.layers)}


def _parts(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return list(layer.layers) if isinstance(layer, SequentialBlock) else [layer]
