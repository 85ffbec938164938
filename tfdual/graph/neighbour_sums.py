"""The sparse product of a graph and the vectors of its nodes."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._backend import sum_in_order
from tfdual._typing import Tensor


@dataclass(frozen=True)
class SparseMatrix:
    """What stands at some places of a matrix, row by row.

    Args:
        places: int64 `(values, 2)`, row and column, in the order of the rows.
        values: float32 `(values,)`.
        shape: rows and columns.
    """

    places: Tensor
    values: Tensor
    shape: tuple[int, int]

    def compressed(self) -> Any:
        """What TensorFlow multiplies by: rows compressed; made once, it serves all layers."""
        if keras.backend.backend() != "tensorflow":
            return self
        shape = tf.constant(self.shape, tf.int64)
        return tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=self.places, values=self.values, dense_shape=shape)


@dataclass(frozen=True)
class NeighbourSums:
    """`out[t] = sum over the edges s -> t of value * vectors[s]`, float32 `(targets, dim)`.

    The gradient is the product with the transposed matrix, which is held too, row by row: nothing is scattered. For a
    graph that is read both ways it is the matrix of the inverse relation.

    Args:
        forth: a compressed matrix, `(targets, sources)`.
        back: the same transposed. Defaults to `None`: TensorFlow's own gradient, which is slower, of a product that
            can be saved in a SavedModel.
    """

    forth: Any
    back: Any = None

    def __call__(self, vectors: Tensor) -> Tensor:
        vectors = ops.cast(vectors, "float32")
        if keras.backend.backend() != "tensorflow":
            rows = ops.take(vectors, self.forth.places[:, 1], axis=0) * self.forth.values[:, None]
            return sum_in_order(rows, self.forth.places[:, 0], self.forth.shape[0])
        if self.back is None:
            return tf.raw_ops.SparseMatrixMatMul(a=self.forth, b=vectors)

        @tf.custom_gradient
        def product(vectors: Tensor) -> tuple:
            found = tf.raw_ops.SparseMatrixMatMul(a=self.forth, b=vectors)
            return found, NeighbourSums(self.back, self.forth)

        return product(vectors)
