"""A query tower as what scores candidates again."""

from typing import Any

import keras
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.towers import Tower


@register
class TowerScore(keras.layers.Layer):
    """The inner product of what a query tower gives and the vector of an item, pair by pair.

    Args:
        query: Tower.
        item: str. The column of item vectors.

    Input: dict of column name -> tensor, one pair a row: the tower's columns, and the item's vectors `(pairs, dim)`.
    Output: `(pairs,)`.
    """

    def __init__(self, query: Tower, item: str, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.query = query
        self.item = item

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        query = self.query(inputs)
        return ops.sum(query * ops.cast(inputs[self.item], query.dtype), axis=-1)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (input_shape[self.item][0],)

    def get_config(self) -> dict:
        return super().get_config() | {"query": serialized(self.query), "item": self.item}

    @classmethod
    def from_config(cls, config: dict) -> "TowerScore":
        return super().from_config(deserialized(config))
