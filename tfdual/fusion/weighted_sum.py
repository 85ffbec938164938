"""Many vectors, weighted and added."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor


@register
class WeightedSumFusion(keras.layers.Layer):
    """Add named vectors, each times a learned number; project those of another width.

    `out = sum_i w_i * x_i` over the inputs of width `dim`, plus `sum_j P_j x_j` over the others. The weights start
    at 1 and the projections at 0, so that training starts from the inputs that share the width: where they are text
    vectors of one table, from lexical overlap.

    Args:
        dim: int. Width of the result.

    Input: dict of name -> `(batch, width of its own)`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: `dim` is below 1, or no input has the width `dim`.

    Example:
        >>> ones = keras.ops.ones
        >>> y = WeightedSumFusion(2)({"a": ones((1, 2)), "b": ones((1, 2)), "age": ones((1, 1))})
        >>> keras.ops.convert_to_numpy(y).tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dim < 1:
            raise ValueError(f"WeightedSumFusion needs dim >= 1. Received {dim}.")
        self.dim = dim

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = {name: shape[-1] for name, shape in sorted(input_shape.items())}
        self.summed = [name for name, width in widths.items() if width == self.dim]
        if not self.summed:
            raise ValueError(
                f"WeightedSumFusion(dim={self.dim}) needs an input of that width. Received widths {widths}."
            )
        self.weight = self.add_weight((len(self.summed),), initializer="ones", name="weight")
        self.projections = {
            name: keras.layers.Dense(self.dim, use_bias=False, kernel_initializer="zeros", name=f"{name}_projection")
            for name in widths
            if name not in self.summed
        }
        for name, projection in self.projections.items():
            build_once(projection, input_shape[name])

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        total = sum(self.weight[place] * inputs[name] for place, name in enumerate(self.summed))
        return total + sum(projection(inputs[name]) for name, projection in self.projections.items())

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (next(iter(input_shape.values()))[0], self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {"dim": self.dim}
