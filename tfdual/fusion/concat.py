"""Many vectors side by side."""

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor


@register
class ConcatFusion(keras.layers.Layer):
    """Concatenate named vectors, in the order of their names.

    Input: dict of name -> `(batch, width of its own)`.
    Output: `(batch, sum of widths)`.

    Raises:
        ValueError: there is no input.

    Example:
        >>> y = ConcatFusion()({"b": ops.zeros((1, 2)), "a": ops.ones((1, 1))})
        >>> ops.convert_to_numpy(y).tolist()
        [[1.0, 0.0, 0.0]]
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        if not input_shape:
            raise ValueError("ConcatFusion needs at least one vector. Received an empty dict.")

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return ops.concatenate([inputs[name] for name in sorted(inputs)], axis=-1)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        shapes = list(input_shape.values())
        return (*shapes[0][:-1], sum(shape[-1] or 0 for shape in shapes))
