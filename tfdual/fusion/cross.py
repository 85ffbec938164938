"""Crosses of the features of many vectors."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.concat import concatenate
from tfdual.fusion.named_vectors import batch_size, check_positive_integer, checked_widths


@register
class CrossFusion(keras.layers.Layer):
    """The cross network of DCN-v2 on the concatenation of named vectors, in the order of their names.

    `x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`, where `x_0` is the concatenation and `*` goes element by element. After
    `depth` steps the result holds products of up to `depth + 1` features. With a projection, `W_l = U_l V_l` is of
    low rank.

    Args:
        depth: int. Number of steps. Defaults to 2.
        projection_dim: int. Rank of each `W_l`: worth it below half the width. Defaults to `None`: full rank.

    Input: dict of name -> `(batch, width of its own)`; a single vector is crossed with itself.
    Output: `(batch, sum of widths)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: `depth` or `projection_dim` below 1, there is no input, one is no vector, or the inputs have other
            names than at first.

    Example:
        >>> y = CrossFusion(depth=3, projection_dim=2)({"age": keras.ops.ones((2, 1)), "bio": keras.ops.ones((2, 4))})
        >>> tuple(y.shape)
        (2, 5)

    Reference: Wang et al., 2021, arXiv:2008.13535
    """

    def __init__(self, depth: int = 2, projection_dim: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive_integer(self, "depth", depth)
        if projection_dim is not None:
            check_positive_integer(self, "projection_dim", projection_dim)
        self.depth = depth
        self.projection_dim = projection_dim

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_widths(self, input_shape)
        self.names = tuple(widths)
        dim = sum(widths.values())
        self.steps = [self._step(place, dim) for place in range(self.depth)]
        for step in self.steps:
            shape: Shape = (None, dim)
            for dense in step:
                build_once(dense, shape)
                shape = dense.compute_output_shape(shape)

    def _step(self, place: int, dim: int) -> list[keras.layers.Layer]:
        dtype = self.dtype_policy
        last = keras.layers.Dense(dim, name=f"cross_{place}", dtype=dtype)
        if self.projection_dim is None:
            return [last]
        return [keras.layers.Dense(self.projection_dim, use_bias=False, name=f"project_{place}", dtype=dtype), last]

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        first = concatenate(inputs, self.names)
        crossed = first
        for step in self.steps:
            factor = crossed
            for dense in step:
                factor = dense(factor)
            crossed = first * factor + crossed
        return crossed

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (batch_size(input_shape), sum(checked_widths(self, input_shape).values()))

    def get_config(self) -> dict:
        return super().get_config() | {"depth": self.depth, "projection_dim": self.projection_dim}
