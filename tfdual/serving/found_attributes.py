"""Attributes of items by their ids, outside the graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._sorted_ids import SortedIds
from tfdual._typing import Tensor


class FoundAttributes:
    """The attributes of all items.

    Args:
        ids: int64 or `str`, `(items,)`.
        columns: name of an attribute -> its values, `(items,)`; strings as objects.
    """

    def __init__(self, ids: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        self._ids, self._columns = SortedIds(ids), dict(columns)

    def of(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """The attributes of items, each of the shape of `ids`; `""`, NaN, -1 or false where there is no item."""
        places = self._ids.positions(ids)
        there = places >= 0
        return {name: np.where(there, values[places], _missing(values)) for name, values in self._columns.items()}


def decoded(values: Tensor) -> np.ndarray:
    """NumPy values; strings as objects of `str`, so that a long one doesn't widen the others."""
    array = values.numpy()
    return np.frompyfunc(bytes.decode, 1, 1)(array) if values.dtype == tf.string else array


def _missing(values: np.ndarray) -> Any:
    if values.dtype.kind == "O":
        return ""
    return values.dtype.type({"f": np.nan, "b": False}.get(values.dtype.kind, -1))
