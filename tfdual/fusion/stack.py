"""Many vectors of one width, one below the other."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import batch_size, checked_one_width, ordered


def stack(inputs: Mapping[str, Tensor], names: Sequence[str] | None = None) -> Tensor:
    """Named vectors as `(batch, features, dim)`, in the order of their names; `names`: see `ordered`."""
    return ops.stack(ordered(inputs, names), axis=1)


@register
class StackFusion(keras.layers.Layer):
    """Stack named vectors on a new axis, in the order of their names.

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, features, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there is no input, one is no vector, or the inputs differ in width.

    Example:
        >>> y = StackFusion()({"b": ops.zeros((1, 2)), "a": ops.ones((1, 2))})
        >>> ops.convert_to_numpy(y).tolist()
        [[[1.0, 1.0], [0.0, 0.0]]]
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        checked_one_width(self, input_shape)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return stack(inputs)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        widths = checked_one_width(self, input_shape)
        return (batch_size(input_shape), len(widths), next(iter(widths.values())))
