"""Vectors of length 1."""

import numpy as np
from keras import ops, tree

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block

SHORTEST = float(np.finfo(np.float32).tiny)


@register
class L2Norm(Block):
    """Divide each vector by its Euclidean length; a zero vector stays zero.

    Right for lengths that float32 holds and their squares don't. Computed in float32 under mixed precision.

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
    largest = ops.max(ops.abs(exact), axis=-1, keepdims=True, initial=0.0)  # of no row, too
    scaled = exact / ops.stop_gradient(ops.where(largest < SHORTEST, 1.0, largest))
    squares = ops.sum(ops.square(scaled), axis=-1, keepdims=True)  # 1 or more, or a zero vector's
    return ops.cast(scaled * ops.rsqrt(ops.maximum(squares, 0.5)), vectors.dtype)
