"""Many vectors, weighted and added."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._layer_name import layer_name
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import batch_size, check_positive_integer, checked_widths, ordered


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
        TypeError: the input is no dict.
        ValueError: `dim` is below 1, there is no input, one is no vector, none has the width `dim`, or the inputs have
            other names than at first.

    Example:
        >>> ones = keras.ops.ones
        >>> y = WeightedSumFusion(2)({"a": ones((1, 2)), "b": ones((1, 2)), "age": ones((1, 1))})
        >>> keras.ops.convert_to_numpy(y).tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive_integer(self, "dim", dim)
        self.dim = dim

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_widths(self, input_shape)
        self.names = tuple(widths)
        self.summed = [name for name, width in widths.items() if width == self.dim]
        if not self.summed:
            raise ValueError(
                f"WeightedSumFusion(dim={self.dim}) needs an input of that width. Received widths {widths}. "
                "Set dim to one of them: the inputs of that width are added, the others projected."
            )
        self.weight = self.add_weight((len(self.summed),), initializer="ones", name="weight")
        self.projections = {name: self._projection(name) for name in widths if name not in self.summed}
        for name, projection in self.projections.items():
            build_once(projection, input_shape[name])

    def _projection(self, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(
            self.dim,
            use_bias=False,
            kernel_initializer="zeros",
            name=layer_name(f"{name}_projection"),
            dtype=self.dtype_policy,
        )

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        vectors = dict(zip(self.names, ordered(inputs, self.names), strict=True))
        total = sum(self.weight[place] * vectors[name] for place, name in enumerate(self.summed))
        return total + sum(projection(vectors[name]) for name, projection in self.projections.items())

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (batch_size(input_shape), self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {"dim": self.dim}
