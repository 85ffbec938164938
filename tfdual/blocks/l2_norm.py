"""Vectors of length 1."""

from keras import ops, tree

from tfdual._register import register
from tfdual._typing import Shape, Tensor
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
        return tree.map_structure(_normalized, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def _normalized(vectors: Tensor) -> Tensor:
    exact = ops.cast(vectors, "float32")
    squares = ops.sum(ops.square(exact), axis=-1, keepdims=True)
    return ops.cast(exact * ops.rsqrt(ops.maximum(squares, 1e-12)), vectors.dtype)
