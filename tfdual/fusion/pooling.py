"""Many vectors of one width, pooled."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import checked_one_width, one_vector_shape, ordered
from tfdual.fusion.stack import stack


def _mean(inputs: Mapping[str, Tensor]) -> Tensor:
    return ops.mean(stack(inputs), axis=1)


def _max(inputs: Mapping[str, Tensor]) -> Tensor:
    return reduce(ops.maximum, ordered(inputs))  # `ops.max` refuses an empty batch


def _sum(inputs: Mapping[str, Tensor]) -> Tensor:
    return ops.sum(stack(inputs), axis=1)


MODES = {"mean": _mean, "max": _max, "sum": _sum}


@register
class PoolingFusion(keras.layers.Layer):
    """Mean, maximum or sum of named vectors.

    Args:
        mode: str. `"mean"`, `"max"` or `"sum"`. Defaults to `"mean"`.

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: the mode is unknown, there is no input, one is no vector, or the inputs differ in width.

    Example:
        >>> y = PoolingFusion("sum")({"a": ops.ones((1, 2)), "b": ops.ones((1, 2))})
        >>> ops.convert_to_numpy(y).tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, mode: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"PoolingFusion knows the modes {sorted(MODES)}. Received {mode!r}.")
        self.mode = mode

    def build(self, input_shape: dict[str, Shape]) -> None:
        checked_one_width(self, input_shape)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return MODES[self.mode](inputs)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return one_vector_shape(self, input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {"mode": self.mode}
