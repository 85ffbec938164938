"""Two vectors to their cosine."""

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import unit
from tfdual.fusion.named_vectors import batch_size, checked_one_width, ordered


@register
class CosineFusion(keras.layers.Layer):
    """The cosine of the angle between two vectors; 0 where one of them is zero.

    `out = x . y / (|x| |y|)`, computed in float32 under mixed precision. A length below 1e-6 counts as 1e-6, so that
    the gradient stays finite.

    Input: dict of two names -> `(batch, dim)`, both with one `dim`.
    Output: `(batch, 1)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there are not exactly two inputs, one is no vector, or they differ in width.

    Example:
        >>> y = CosineFusion()({"query": ops.array([[1.0, 0.0]]), "item": ops.array([[3.0, 4.0]])})
        >>> ops.convert_to_numpy(y).round(2).tolist()
        [[0.6000000238418579]]
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        widths = checked_one_width(self, input_shape)
        if len(widths) != 2:
            raise ValueError(
                f"CosineFusion needs exactly two vectors. Received {list(widths)}. "
                "For every pair of more vectors, use `DotInteractionFusion` on vectors of length 1."
            )

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        left, right = (unit(vector) for vector in ordered(inputs))
        return ops.cast(ops.sum(left * right, axis=-1, keepdims=True), self.compute_dtype)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (batch_size(input_shape), 1)
