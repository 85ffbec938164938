"""Vectors of length 1."""

from keras import ops, tree

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import unit
from tfdual.blocks.block import Block


@register
class L2Norm(Block):
    """Divide each vector by its Euclidean length; a zero vector stays zero.

    Computed in float32 under mixed precision.

    Input and output: `(..., dim)`, or a dict of such.

    Example:
        >>> ops.convert_to_numpy(L2Norm()(ops.convert_to_tensor([[3.0, 4.0]]))).round(2)
        array([[0.6, 0.8]], dtype=float32)
    """

    def call(self, inputs: Tensor) -> Tensor:
        return tree.map_structure(lambda vectors: ops.cast(unit(vectors), vectors.dtype), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
