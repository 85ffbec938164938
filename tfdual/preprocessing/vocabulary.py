"""Categorical values to dense ids, by a vocabulary learned from the rows."""

from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, Values, flat, lookup_table, on_values
from tfdual.schema import ColumnSchema


class Vocabulary(Transform):
    """Strings or integers -> `1 .. size - 1`, the most frequent value first; 0 is every unknown value.

    Columns that share a domain share the vocabulary; counts are kept a column, for the sampling correction.

    Args:
        min_count: int. Values seen less often are unknown. Defaults to 1.
        max_size: int. Keep at most so many values. Defaults to `None`: all.

    Raises:
        ValueError: a bound below 1.

    Reference: NVTabular's `Categorify`
    """

    def __init__(self, min_count: int = 1, max_size: int | None = None) -> None:
        if min_count < 1 or (max_size is not None and max_size < 1):
            raise ValueError(f"min_count and max_size are at least 1. Received {min_count} and {max_size}.")
        self.min_count = min_count
        self.max_size = max_size
        self._counts: dict[str, Counter] = {}
        self._integer = False

    def update(self, column: ColumnSchema, values: Values) -> None:
        """Count the values of one batch.

        Raises:
            TypeError: the column holds floats.
        """
        if column.dtype.startswith("float"):
            raise TypeError(
                f"Column '{column.name}' is {column.kind} and of dtype {column.dtype}; ids are strings or integers. "
                "Change its dtype, or take the tag away that makes it an id."
            )
        self._integer = column.dtype != "string"
        unique, counts = np.unique(flat(values), return_counts=True)
        counter = self._counts.setdefault(column.name, Counter())
        for value, count in zip(unique.tolist(), counts.tolist(), strict=True):
            counter[value] += count

    def finish(self) -> None:
        """Rank the values and build the lookup table."""
        total: Counter = Counter()
        for counter in self._counts.values():
            total.update(counter)
        kept = [value for value, count in total.items() if count >= self.min_count]
        kept.sort(key=lambda value: (-total[value], value))
        dtype = np.int64 if self._integer else object
        self.values = np.array(kept[: self.max_size], dtype=dtype)
        self._table = lookup_table(self.values, tf.int64 if self._integer else tf.string)

    @property
    def size(self) -> int:
        """Ids in use: the values and the unknown one."""
        return len(self.values) + 1

    def log_probability(self, column: str) -> np.ndarray:
        """Natural logarithm of how often a row of `column` holds each id, `(size,)` float32.

        An id that was never seen counts as seen once, so that its correction is finite.
        """
        counter = self._counts[column]
        total = sum(counter.values())
        counts = np.array([counter[value] for value in self.values.tolist()], dtype=np.float64)
        counts = np.concatenate([[total - counts.sum()], counts])
        return np.log(np.maximum(counts, 1.0) / total).astype(np.float32)

    @property
    def tables(self) -> list[Any]:
        """The lookup table."""
        return [self._table]

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """An int64 column whose domain is the vocabulary."""
        domain = {"name": column.domain_name, "min": 0, "max": self.size - 1}
        return ColumnSchema(
            column.name, column.tags, {**column.properties, "domain": domain}, "int64", column.is_list, column.is_ragged
        )

    def __call__(self, values: Tensor) -> Tensor:
        return on_values(lambda flat_values: self._table.lookup(self._keys(flat_values)), values)

    def _keys(self, values: Tensor) -> Tensor:
        return tf.cast(values, tf.int64) if self._integer else values
