"""Ids to rows composed of two small tables."""

import math
from typing import Any

import keras
from keras import ops

from tfdual._backend import take_rows
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.initializers import Initializer
from tfdual.features.table import Table

OPERATIONS = ("multiply", "add", "concat")


@register
class QuotientRemainderTable(Table):
    """A row for each id, composed of two rows of much smaller tables, so that many ids need little memory.

    `row(i) = remainders[i mod m] o quotients[i div m]`, where `o` multiplies, adds or concatenates. No two ids have
    both rows in common. Of `n` ids it keeps `m + ceil(n / m)` rows: about `2 sqrt(n)`. Both tables are one weight, the
    remainders first. Where rows are multiplied, the quotients start at 1 plus what the initialiser gives.

    What a call takes and gives, and how lists are pooled, is as of `EmbeddingTable`. Ids outside the table get the
    composition of id 0.

    Args:
        cardinality: int. Ids that it knows, from 0.
        dim: int. Width of a composed row.
        num_buckets: int. `m`, the rows of the table of remainders. Defaults to `None`: the square root of the
            cardinality, rounded up.
        operation: str. `"multiply"`, `"add"` or `"concat"`, of two halves. Defaults to `"multiply"`.
        combiner: str. `"mean"`, `"sum"`, `"sqrtn"` or `"max"`. Defaults to `"mean"`.
        initializer: a Keras initialiser, by name or object. Defaults to `"uniform"`.
        l2: float. Each call adds the loss `l2 * sum(rows ** 2) / batch` of the composed rows. Defaults to 0: no loss.

    Input: int ids, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0; `weights` of that shape.
    Output: `(batch, dim)`.

    Raises:
        ValueError: as of `EmbeddingTable`; buckets outside 1 .. cardinality, an unknown operation, an odd width to
            concatenate.

    Example:
        >>> table = QuotientRemainderTable(cardinality=1_000_000, dim=8)
        >>> tuple(table(ops.convert_to_tensor([3, 999_999])).shape), tuple(table.embeddings.shape)
        ((2, 8), (2000, 8))

    Reference: Shi et al., 2020, arXiv:1909.02107
    """

    def __init__(
        self,
        cardinality: int,
        dim: int,
        num_buckets: int | None = None,
        operation: str = "multiply",
        combiner: str = "mean",
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cardinality, dim, combiner, initializer, l2, **kwargs)
        if num_buckets is not None and not 1 <= num_buckets <= cardinality:
            raise ValueError(f"num_buckets is in 1 .. cardinality, {cardinality}. Received {num_buckets}.")
        if operation not in OPERATIONS:
            raise ValueError(f"operation is one of {OPERATIONS}. Received {operation!r}.")
        if operation == "concat" and dim % 2:
            raise ValueError(f"Two halves are concatenated, so dim must be even. Received {dim}.")
        self.num_buckets = num_buckets
        self.operation = operation

    def build(self, input_shape: Shape | None = None) -> None:
        self._buckets = self.num_buckets or math.isqrt(self.cardinality - 1) + 1
        rows = self._buckets + math.ceil(self.cardinality / self._buckets)
        width = self.dim // 2 if self.operation == "concat" else self.dim
        self.embeddings = self.add_weight(
            (rows, width), initializer=self._initial, dtype="float32", autocast=False, name="embeddings"
        )

    def _initial(self, shape: Shape, dtype: str) -> Tensor:
        values = keras.initializers.get(self.initializer)(shape, dtype)
        if self.operation != "multiply":
            return values
        return ops.concatenate([values[: self._buckets], values[self._buckets :] + 1], axis=0)

    def _look_up(self, ids: Tensor) -> Tensor:
        remainders = take_rows(self.embeddings, ops.mod(ids, self._buckets))
        quotients = take_rows(self.embeddings, self._buckets + ops.floor_divide(ids, self._buckets))
        if self.operation == "concat":
            return ops.concatenate([remainders, quotients], axis=-1)
        return remainders * quotients if self.operation == "multiply" else remainders + quotients

    def get_config(self) -> dict:
        return super().get_config() | {"num_buckets": self.num_buckets, "operation": self.operation}
