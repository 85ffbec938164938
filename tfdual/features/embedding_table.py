"""Ids to rows of a trained table."""

from typing import Any

import keras
from keras import ops

from tfdual._backend import is_ragged, take_rows
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.embedding_options import COMBINERS


@register
class EmbeddingTable(keras.layers.Layer):
    """Look ids up in a table; pool the rows where there are several ids.

    An id outside `0 .. cardinality - 1` gets row 0, the unknown row. An empty list gives zeros.
    Sums are in float32 under mixed precision.

    Args:
        cardinality: int. Rows of the table.
        dim: int. Width of a row.
        combiner: str. `"mean"`, `"sum"` or `"sqrtn"` (the sum over the root of the length). Defaults to `"mean"`.
        initializer: str. A Keras initialiser. Defaults to `"uniform"`.

    Input: int ids, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0.
    Output: `(batch, dim)`.

    Raises:
        ValueError: a size below 1, an unknown combiner.

    Example:
        >>> table = EmbeddingTable(cardinality=10, dim=4)
        >>> tuple(table(ops.convert_to_tensor([3, 7])).shape)
        (2, 4)
    """

    def __init__(
        self, cardinality: int, dim: int, combiner: str = "mean", initializer: str = "uniform", l2=0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if cardinality < 1 or dim < 1:
            raise ValueError(f"EmbeddingTable needs cardinality >= 1 and dim >= 1. Received {cardinality} and {dim}.")
        if combiner not in COMBINERS:
            raise ValueError(f"combiner is one of {COMBINERS}. Received {combiner!r}.")
        self.cardinality = cardinality
        self.dim = dim
        self.combiner = combiner
        self.initializer = initializer

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings = self.add_weight(
            (self.cardinality, self.dim), initializer=self.initializer, autocast=False, name="embeddings"
        )

    def call(self, inputs: Tensor, weights=None, combiner=None) -> Tensor:
        return ops.cast(self._pool(inputs), self.compute_dtype)

    def _pool(self, inputs: Tensor) -> Tensor:
        if is_ragged(inputs):
            rows = self._rows(inputs.flat_values)  # (ids, dim)
            total = ops.segment_sum(rows, inputs.value_rowids(), inputs.nrows())  # (batch, dim)
            return total / self._divisor(ops.cast(inputs.row_lengths(), total.dtype)[:, None])
        if len(inputs.shape) == 1:
            return self._rows(inputs)
        present = ops.cast(inputs > 0, self.variable_dtype)[..., None]  # (batch, length, 1)
        total = ops.sum(self._rows(inputs) * present, axis=1)
        return total / self._divisor(ops.sum(present, axis=1))

    def _rows(self, ids: Tensor) -> Tensor:
        inside = ops.logical_and(ids >= 0, ids < self.cardinality)
        return take_rows(self.embeddings, ops.where(inside, ids, ops.zeros_like(ids)))

    def _divisor(self, lengths: Tensor) -> Tensor:
        if self.combiner == "sum":
            return ops.ones_like(lengths)
        lengths = ops.maximum(lengths, 1)
        return lengths if self.combiner == "mean" else ops.sqrt(lengths)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "cardinality": self.cardinality,
            "dim": self.dim,
            "combiner": self.combiner,
            "initializer": self.initializer,
        }
