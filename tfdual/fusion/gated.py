"""Many vectors of one width, each through a gate, added."""

from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import checked_one_width, one_vector_shape, ordered


@register
class GatedFusion(keras.layers.Layer):
    """Sum named vectors, each weighted by a learned gate of its own.

    `out = sum_i sigmoid(w_i . x_i + b_i) * x_i`

    Args:
        use_bias: bool. Add a bias to every gate. Defaults to `True`.

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there is no input, one is no vector, the inputs differ in width, or have other names than at first.

    Example:
        >>> y = GatedFusion()({"age": ops.ones((2, 4)), "bio": ops.ones((2, 4))})
        >>> tuple(y.shape)
        (2, 4)

    Reference: Arevalo et al., 2017, arXiv:1702.01992
    """

    def __init__(self, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(use_bias, bool):
            raise TypeError(f"use_bias is a bool. Received {use_bias!r}.")
        self.use_bias = use_bias

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_one_width(self, input_shape)
        self.names = tuple(widths)
        shape = (len(widths), widths[self.names[0]])
        self.kernel = self.add_weight(shape, initializer="glorot_uniform", name="kernel")  # (features, dim)
        self.bias = self.add_weight(shape[:1], initializer="zeros", name="bias") if self.use_bias else None

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return sum(self._gate(place, vector) * vector for place, vector in enumerate(ordered(inputs, self.names)))

    def _gate(self, place: int, vector: Tensor) -> Tensor:
        logit = ops.matmul(vector, self.kernel[place][:, None])  # (batch, 1)
        return ops.sigmoid(logit if self.bias is None else logit + self.bias[place])

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return one_vector_shape(self, input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {"use_bias": self.use_bias}
