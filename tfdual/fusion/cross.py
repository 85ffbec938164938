"""Crosses of the features of many vectors."""

from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.concat import concatenate
from tfdual.fusion.named_vectors import batch_size, check_positive_integer, checked_widths
from tfdual.fusion.unshared import unshared


@register
class CrossFusion(keras.layers.Layer):
    """The cross network of DCN-v2 on the concatenation of named vectors, in the order of their names.

    `x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`, where `x_0` is the concatenation and `*` goes element by element. After
    `depth` steps the result holds products of up to `depth + 1` features. With `low_rank_dim`, `W_l = U_l V_l`.

    Args:
        depth: int. Number of steps. Defaults to 2.
        low_rank_dim: int. Rank of each `W_l`: worth it below half the width. Defaults to `None`: full rank.
        use_bias: bool. Defaults to `True`.
        kernel_initializer: initialiser of Keras. Defaults to `"glorot_uniform"`.
        kernel_regularizer: regulariser of Keras, for both matrices of a low rank. Defaults to `None`.

    Input: dict of name -> `(batch, width of its own)`; a single vector is crossed with itself.
    Output: `(batch, sum of widths)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: `depth` or `low_rank_dim` below 1, there is no input, one is no vector, or the inputs have other
            names than at first.

    Example:
        >>> y = CrossFusion(depth=3, low_rank_dim=2)({"age": keras.ops.ones((2, 1)), "bio": keras.ops.ones((2, 4))})
        >>> tuple(y.shape)
        (2, 5)

    Reference: Wang et al., 2021, arXiv:2008.13535
    """

    def __init__(
        self,
        depth: int = 2,
        low_rank_dim: int | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integer(self, "depth", depth)
        if low_rank_dim is not None:
            check_positive_integer(self, "low_rank_dim", low_rank_dim)
        self.depth = depth
        self.low_rank_dim = low_rank_dim
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

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
        last = self._dense(dim, self.use_bias, f"cross_{place}")
        return (
            [last] if self.low_rank_dim is None else [self._dense(self.low_rank_dim, False, f"project_{place}"), last]
        )

    def _dense(self, units: int, use_bias: bool, name: str) -> keras.layers.Dense:
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=unshared(self.kernel_initializer),
            kernel_regularizer=self.kernel_regularizer,
            name=name,
            dtype=self.dtype_policy,
        )

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
        return super().get_config() | {
            "depth": self.depth,
            "low_rank_dim": self.low_rank_dim,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
