"""Float32 rows, kept while they go by."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor


class KeptRows:
    """One variable of all rows, filled block by block where their number is known, so that they are held once.

    Args:
        count: int. All rows. Defaults to `None`: unknown; then they are gathered first.
    """

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._gathered: list[np.ndarray] = []
        self._variable: tf.Variable | None = None

    def watching(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks."""
        start = 0
        for block in blocks:
            if self._count is None:
                self._gathered.append(np.array(block))
            else:
                if self._variable is None:
                    self._variable = tf.Variable(tf.zeros([self._count, block.shape[1]]), trainable=False)
                self._variable[start : start + len(block)].assign(block)
                start += len(block)
            yield block

    @property
    def variable(self) -> tf.Variable:
        """Float32 `(items, dim)`, once all blocks went by."""
        if self._variable is None:
            self._variable = tf.Variable(np.concatenate(self._gathered), trainable=False)
            self._gathered = []
        return self._variable


def rows_at(rows: tf.Variable, places: Tensor) -> Tensor:
    """The rows at places of any shape.

    `tf.gather` of the variable itself would mark it as one that is written row by row, and each later read of it would
    copy all rows.
    """
    return tf.gather(rows.value(), places)


def row_blocks(rows: tf.Variable, at_once: int) -> Iterator[np.ndarray]:
    """The rows of a variable, block by block."""
    for start in range(0, rows.shape[0], at_once):
        yield rows[start : start + at_once].numpy()
