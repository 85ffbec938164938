"""Ids to weighted sums of rows that they share by hashing."""

from typing import Any

from keras import ops

from tfdual._backend import take_rows
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.initializers import Initializer
from tfdual.features.table import Table

PRIME = 2**31 - 1  # the product of two remainders still fits into 63 bits
WORD = 2**64


@register
class HashedTable(Table):
    """Hash embeddings: each id gets a weighted sum of a few rows of a small table, chosen by hashing.

    `row(i) = sum_j importance[g(i)][j] * embeddings[h_j(i)]`, `h(i) = 1 + ((a i + b) mod p) mod (num_rows - 1)` with
    `p = 2 ** 31 - 1`. The importance of the rows is learnt, and starts at 1. The paper keeps an importance for each
    id; here it is shared by a further hash `g`, so that the memory, `num_rows * (dim + num_hashes)` numbers, doesn't
    grow with the ids. Two ids are one only where all `num_hashes + 1` hashes meet. Id 0, the unknown one, has rows of
    its own, and ids outside the table get what it gets.

    What a call takes and gives, and how lists are pooled, is as of `EmbeddingTable`.

    Args:
        cardinality: int. Ids that it knows, from 0; below `2 ** 31 - 1`.
        dim: int. Width of a row.
        num_rows: int. Rows of the small table, at least 2.
        num_hashes: int. Rows that make an id. Defaults to 2.
        combiner: str. `"mean"`, `"sum"`, `"sqrtn"` or `"max"`. Defaults to `"mean"`.
        initializer: a Keras initialiser, by name or object. Defaults to `"uniform"`.
        l2: float. Each call adds the loss `l2 * sum(rows ** 2) / batch` of the composed rows. Defaults to 0: no loss.
        seed: int. Which hash functions; the same seed gives the same ones everywhere. Defaults to 0.

    Input: int ids, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0; `weights` of that shape.
    Output: `(batch, dim)`.

    Raises:
        ValueError: as of `EmbeddingTable`; fewer than 2 rows, no hash, a cardinality that is too large.

    Example:
        >>> table = HashedTable(cardinality=1_000_000, dim=8, num_rows=5_000)
        >>> tuple(table(ops.convert_to_tensor([3, 999_999])).shape)
        (2, 8)

    Reference: Svenstrup et al., 2017, arXiv:1709.03933
    """

    def __init__(
        self,
        cardinality: int,
        dim: int,
        num_rows: int,
        num_hashes: int = 2,
        combiner: str = "mean",
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cardinality, dim, combiner, initializer, l2, **kwargs)
        if num_rows < 2 or num_hashes < 1:
            raise ValueError(f"HashedTable needs num_rows >= 2 and num_hashes >= 1. Received {num_rows}, {num_hashes}.")
        if cardinality >= PRIME:
            raise ValueError(f"HashedTable takes fewer than {PRIME} ids. Received {cardinality}.")
        self.num_rows = num_rows
        self.num_hashes = num_hashes
        self.seed = seed

    def build(self, input_shape: Shape | None = None) -> None:
        numbers = _numbers(self.seed, 2 * (self.num_hashes + 1))
        self._factors, self._shifts = numbers[::2], numbers[1::2]
        self.embeddings = self.add_weight(
            (self.num_rows, self.dim),
            initializer=self.initializer,
            dtype="float32",
            autocast=False,
            name="embeddings",
        )
        self.importance = self.add_weight(
            (self.num_rows, self.num_hashes), initializer="ones", dtype="float32", autocast=False, name="importance"
        )

    def _look_up(self, ids: Tensor) -> Tensor:
        ids = ops.cast(ids, "int64")[..., None]
        mixed = (
            ids * ops.convert_to_tensor(self._factors, "int64") + ops.convert_to_tensor(self._shifts, "int64")
        ) % PRIME
        hashes = ops.where(ids == 0, ops.zeros_like(ids), 1 + mixed % (self.num_rows - 1))  # (..., num_hashes + 1)
        rows = take_rows(self.embeddings, hashes[..., 1:])  # (..., num_hashes, dim)
        importance = take_rows(self.importance, hashes[..., 0])  # (..., num_hashes)
        return ops.sum(rows * importance[..., None], axis=-2)

    def get_config(self) -> dict:
        return super().get_config() | {
            "num_rows": self.num_rows,
            "num_hashes": self.num_hashes,
            "seed": self.seed,
        }


def _numbers(seed: int, count: int) -> list[int]:
    """Numbers of 1 .. PRIME - 1 by SplitMix64, which is the same in every version of every package."""
    numbers, state = [], seed % WORD
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % WORD
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % WORD
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % WORD
        numbers.append(1 + (mixed ^ (mixed >> 31)) % (PRIME - 1))
    return numbers
