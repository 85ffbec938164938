"""Item ids, and where each stands in the corpus."""

import numpy as np
import tensorflow as tf

from tfdual._sorted_ids import SortedIds
from tfdual._typing import Tensor


class Corpus:
    """The ids of the items, in the order of their embeddings.

    Args:
        ids: `(items,)`, integers or strings.
        column: str. The column that they come from, for messages.

    Raises:
        ValueError: there is no item, or an id stands twice.
    """

    def __init__(self, ids: np.ndarray, column: str) -> None:
        if not len(ids):
            raise ValueError("The corpus holds no item. Pass items of at least one row.")
        self.column = column
        self._sorted = SortedIds(ids)
        self._ranks = np.argsort(self._sorted.order)
        inside = self._sorted.values
        if len(repeated := inside[1:][inside[1:] == inside[:-1]]):
            raise ValueError(
                f"Item ids must differ; the column '{column}' repeats some, such as {repeated.tolist()[0]!r}. "
                "Use `rows.unique(by=...)`."
            )

    def __len__(self) -> int:
        return len(self._ranks)

    def positions(self, ids: np.ndarray, column: str) -> np.ndarray:
        """Where these ids stand in the corpus, -1 for ids of no item.

        Raises:
            ValueError: the ids are strings and those of the corpus are not, or the other way round.
        """
        own = self._sorted.values
        if len(ids) and (ids.dtype.kind == "O") != (own.dtype.kind == "O"):
            kinds = ["strings" if values.dtype.kind == "O" else "numbers" for values in (ids, own)]
            raise ValueError(
                f"The ids in '{column}' are {kinds[0]} and those of the items, in '{self.column}', are {kinds[1]}. "
                "Read both columns with one dtype."
            )
        return self._sorted.positions(ids)

    def by_id(self, rows: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs by row, then by id, the same for a corpus in any order: where each stands here, and its id."""
        ranks = self._ranks[positions]
        order = np.lexsort((ranks, rows))
        return order, self._sorted.values[ranks[order]]

    def pairs(self, batch: dict[str, Tensor], column: str) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Pairs (row of the batch, position of the item) of an id column, and the ids of no item."""
        rows, ids = row_values(batch, column)
        positions = self.positions(ids, column)
        known = positions >= 0
        return (rows[known], positions[known]), ids[~known]


def row_values(batch: dict[str, Tensor], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (row of the batch, value) of a column of single values or of lists.

    Raises:
        ValueError: there is no such column.
    """
    if column not in batch:
        raise ValueError(f"The rows lack the column '{column}'. They have {sorted(batch)}.")
    values = batch[column]
    if isinstance(values, tf.RaggedTensor):
        return values.value_rowids().numpy(), values.flat_values.numpy()
    array = values.numpy()
    return np.repeat(np.arange(len(array)), array.size // max(1, len(array))), array.reshape(-1)


def row_count(values: Tensor) -> int:
    """How many rows a column of a batch has."""
    return int(values.nrows()) if isinstance(values, tf.RaggedTensor) else len(values)


def padded(rows: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
    """Pairs in the order of their rows as a matrix `(count, longest)`, -1 where a row is shorter."""
    lengths = np.bincount(rows, minlength=count)
    matrix = np.full((count, max(1, lengths.max(initial=0))), -1, dtype=np.int64)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = positions
    return matrix
