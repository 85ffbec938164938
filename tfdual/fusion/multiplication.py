"""Many vectors of one width, multiplied."""

from functools import reduce

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import checked_one_width, one_vector_shape, ordered


@register
class MultiplicationFusion(keras.layers.Layer):
    """Multiply named vectors element by element.

    `out = x_1 * x_2 * ... * x_n`

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there is no input, one is no vector, or the inputs differ in width.

    Example:
        >>> y = MultiplicationFusion()({"a": ops.full((1, 2), 3.0), "b": ops.full((1, 2), 2.0)})
        >>> ops.convert_to_numpy(y).tolist()
        [[6.0, 6.0]]
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        checked_one_width(self, input_shape)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return reduce(ops.multiply, ordered(inputs))

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return one_vector_shape(self, input_shape)
