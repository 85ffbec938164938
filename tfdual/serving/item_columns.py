"""What is known of each item beside its embedding, by its position in the index."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor

MISSING = {"string": "", "float": np.nan, "int": -1}


class ItemColumns:
    """Columns of the items as variables of a graph; they can grow.

    Args:
        columns: name -> `(items, ...)`, or ragged `(items, None)`.
    """

    def __init__(self, columns: Mapping[str, np.ndarray | tf.RaggedTensor]) -> None:
        self._values: dict[str, tf.Variable] = {}
        self._splits: dict[str, tf.Variable] = {}
        for name, values in columns.items():
            if isinstance(values, tf.RaggedTensor):
                self._values[name] = _variable(values.values)
                self._splits[name] = _variable(tf.cast(values.row_splits, tf.int64))
            else:
                self._values[name] = _variable(tf.convert_to_tensor(values))

    @property
    def variables(self) -> list[tf.Variable]:
        """All that a SavedModel must keep."""
        return [*self._values.values(), *self._splits.values()]

    def dtype(self, name: str) -> str:
        """`"int64"`, or `"list of int64"`."""
        return f"list of {self._values[name].dtype.name}" if name in self._splits else self._values[name].dtype.name

    def tensor(self, name: str) -> Tensor | tf.RaggedTensor:
        """A column, whole."""
        values = self._values[name].value()
        if name not in self._splits:
            return values
        return tf.RaggedTensor.from_row_splits(values, self._splits[name].value(), validate=False)

    def at(self, name: str, positions: Tensor) -> Tensor | tf.RaggedTensor:
        """A column's values at positions of any shape; those at -1 are the first item's."""
        return tf.gather(self.tensor(name), tf.maximum(positions, 0))

    def at_or_missing(self, name: str, positions: Tensor) -> Tensor:
        """Single values at positions; `""`, NaN, -1 or false at -1."""
        found = self.at(name, positions)
        kind = "string" if found.dtype == tf.string else "float" if found.dtype.is_floating else "int"
        missing = tf.constant(False) if found.dtype == tf.bool else tf.constant(MISSING[kind], found.dtype)
        return tf.where(positions >= 0, found, missing)

    def put(self, positions: np.ndarray, columns: Mapping[str, np.ndarray | tf.RaggedTensor]) -> None:
        """Set the values at positions, of which those at the end may be new."""
        for name, variable in self._values.items():
            given = columns[name]
            if name in self._splits:
                values, splits = _lists_with(self.tensor(name), positions, given)
                self._splits[name].assign(splits)
                variable.assign(values)
                continue
            if (grown := int(positions.max(initial=-1)) + 1 - int(tf.shape(variable)[0])) > 0:
                empty = tf.zeros([grown, *variable.shape[1:]], variable.dtype)
                variable.assign(tf.concat([variable, empty], axis=0))
            variable.scatter_update(tf.IndexedSlices(tf.cast(given, variable.dtype), positions))


def _variable(values: Tensor) -> tf.Variable:
    return tf.Variable(values, trainable=False, shape=[None, *values.shape[1:]])


def _lists_with(
    held: tf.RaggedTensor, positions: np.ndarray, given: np.ndarray | tf.RaggedTensor
) -> tuple[Tensor, Tensor]:
    rows = held.nrows()
    both = tf.concat([held, tf.cast(given, held.dtype)], axis=0)
    order = np.arange(max(int(rows), int(positions.max(initial=-1)) + 1))
    order[positions] = int(rows) + np.arange(len(positions))
    joined = tf.gather(both, order)
    return joined.values, tf.cast(joined.row_splits, tf.int64)
