"""Frozen vectors of any length, brought to length 1 in a graph."""

import numpy as np
from keras import ops

from tfdual._typing import Tensor

SHORTEST = float(np.finfo(np.float32).tiny)


def unit_vectors(vectors: Tensor) -> Tensor:
    """`vectors / |vectors|`, computed in float32, right where it holds the numbers and not their squares.

    Numbers of others may lie anywhere; of a tower they don't, and `L2Norm` takes fewer steps.

    Args:
        vectors: `(..., dim)`. A zero vector stays zero, as does one of numbers below 1.2e-38.
    """
    exact = ops.cast(vectors, "float32")
    largest = ops.max(ops.abs(exact), axis=-1, keepdims=True, initial=0.0)  # of no row, too
    scaled = exact / ops.where(largest < SHORTEST, 1.0, largest)
    squares = ops.sum(ops.square(scaled), axis=-1, keepdims=True)  # 1 or more, or a zero vector's
    return ops.cast(scaled * ops.rsqrt(ops.maximum(squares, 0.5)), vectors.dtype)
