"""Categorical values to dense ids, by a vocabulary learned from the rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import present
from tfdual.preprocessing.column_types import check_values, ids
from tfdual.preprocessing.transform import Transform, on_values
from tfdual.preprocessing.value_counts import ValueCounts, merged, most_frequent
from tfdual.preprocessing.value_ids import ValueIds
from tfdual.schema import ColumnSchema, Tags


@register
class Vocabulary(Transform):
    """Strings or integers -> ids: first those of unknown values, then the values, the most frequent first.

    `0 .. num_oov_indices - 1` are unknown values; where there are several, a hash of the value picks one. A missing
    value (`""`, or -1 in a nullable column) is never learned. Columns that share a domain share the vocabulary; counts
    are kept a column, for the sampling correction: the column tagged `ITEM_ID` also gives `<name>_log_probability`.

    Later rows make it grow: ids stay, and values that now reach the bounds are appended. Counts of all values are kept,
    16 bytes each and the length of strings. Ten million strings of 13 characters fit in 4 GB with everything around.

    Args:
        min_count: int. Values seen less often are unknown. Defaults to 1.
        max_size: int. Keep at most so many values. Defaults to `None`: all.
        num_oov_indices: int. Ids for unknown values. Defaults to 1.

    Raises:
        ValueError: a bound below 1.
        TypeError: the column holds floats.

    Reference: NVTabular's `Categorify`; Keras's `StringLookup` and `IntegerLookup`, which look up
    """

    def __init__(self, min_count: int = 1, max_size: int | None = None, num_oov_indices: int = 1) -> None:
        if min(min_count, max_size or 1, num_oov_indices) < 1 or max_size == 0:
            raise ValueError(
                "min_count, max_size and num_oov_indices are at least 1. "
                f"Received {min_count}, {max_size} and {num_oov_indices}."
            )
        self.min_count = min_count
        self.max_size = max_size
        self.num_oov_indices = num_oov_indices
        self._counts: dict[str, ValueCounts] = {}
        self._items: list[str] = []
        self._take(pa.chunked_array([], pa.large_string()))

    @classmethod
    def of(cls, values: Any, **bounds: Any) -> "Vocabulary":
        """A vocabulary that knows these values before it sees a row, in their order; rows count, and append others.

        For items that no training row may name, and that are negatives or candidates all the same.

        Args:
            values: integers or strings, all different, none missing.
            bounds: arguments of `Vocabulary`.

        Raises:
            ValueError: a value stands twice, or is missing (`""`).
            TypeError: neither integers nor strings.

        Example:
            >>> vocabulary = Vocabulary.of(["b", "a"])
            >>> vocabulary(ColumnSchema("item", dtype="string"), tf.constant(["a", "c"])).numpy().tolist()
            [2, 0]
        """
        array = pa.array(values)
        if pa.types.is_floating(array.type) or pa.types.is_boolean(array.type):
            raise TypeError(f"A vocabulary holds integers or strings. Received {array.type}.")
        array = array.cast(pa.int64() if pa.types.is_integer(array.type) else pa.large_string())
        missing = array.null_count or (array.type != pa.int64() and pc.any(pc.equal(array, "")).as_py())
        if missing or len(array.unique()) < len(array):
            raise ValueError("The values of a vocabulary all differ, and none is missing. Use `np.unique(values)`.")
        vocabulary = cls(**bounds)
        vocabulary._take(pa.chunked_array([array]))
        return vocabulary

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Count the values of one batch."""
        check_values(self, column)
        known = self._ids.values
        if len(known) and pa.types.is_integer(known.type) == (column.dtype == "string"):
            raise TypeError(
                f"Column '{column.name}' is {column.dtype}, and the vocabulary holds {known.type}, such as "
                f"{known[0].as_py()!r}."
            )
        found = present(column, values)
        if column.dtype != "string":
            found = found.cast(pa.int64())
        if column.name not in self._counts:
            self._counts[column.name] = ValueCounts()
            self._items += [column.name] if _is_item(column) else []
        self._counts[column.name].add(found)

    def finish(self) -> None:
        """Rank the values that are new, and append them."""
        counts = merged([counts.table() for counts in self._counts.values()])
        known = self._ids.values
        if len(known):
            counts = counts.filter(pc.invert(pc.is_in(counts["value"], value_set=known.combine_chunks())))
        room = None if self.max_size is None else max(self.max_size - len(known), 0)
        new = most_frequent(counts, self.min_count, room)
        self._take(pa.chunked_array([*(known.chunks if len(known) else []), *new.chunks], new.type))

    def _take(self, values: pa.ChunkedArray) -> None:
        self._ids = ValueIds(values, self.num_oov_indices)
        self._log_probabilities = {name: tf.constant(self.log_probability(name)) for name in self._items}

    def state(self) -> dict[str, Any]:
        """The values in order, and all counts."""
        counts = {f"counts of {name}": counts.table() for name, counts in self._counts.items()}
        return {"items": self._items, "values": pa.table({"value": self._ids.values}), **counts}

    def restore(self, state: dict[str, Any]) -> None:
        """Take values and counts."""
        counts = {name: table for name, table in state.items() if name not in ("items", "values")}
        self._counts = {name.removeprefix("counts of "): ValueCounts(table) for name, table in counts.items()}
        self._items = list(state["items"])
        self._take(state["values"]["value"])

    @property
    def values(self) -> np.ndarray:
        """The values in order; strings as bytes. The id of the first is `num_oov_indices`."""
        values = self._ids.values
        return (values.cast(pa.large_binary()) if pa.types.is_large_string(values.type) else values).to_numpy()

    @property
    def size(self) -> int:
        """Ids in use: the values and the unknown ones."""
        return len(self._ids.values) + self.num_oov_indices

    def log_probability(self, column: str) -> np.ndarray:
        """Natural logarithm of how often a row of `column` holds each id, `(size,)` float32.

        An id that was never seen counts as seen once, so that its correction is finite. An unknown id has the count of
        all values that were not kept and fall there.
        """
        table = self._counts[column].table()
        seen = table["count"].to_numpy().astype(np.float64)
        counts = np.bincount(self._ids.ids_of(table["value"]), weights=seen, minlength=self.size)
        return np.log(np.maximum(counts, 1.0) / max(seen.sum(), 1.0)).astype(np.float32)

    @property
    def tables(self) -> list[Any]:
        """The lookup table."""
        return self._ids.tables

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """An int64 column whose domain is the vocabulary."""
        check_values(self, column)
        return ids(column, self.size, self.num_oov_indices)

    def outputs(self, column: ColumnSchema) -> list[ColumnSchema]:
        """The ids, and the sampling log-probability of the item's."""
        likely = ColumnSchema(f"{column.name}_log_probability", [Tags.LOG_PROBABILITY], dtype="float32")
        return [self.output(column), *([likely] if _is_item(column) else [])]

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return on_values(self._ids, values)

    def apply(self, column: ColumnSchema, values: Tensor) -> dict[str, Tensor]:
        """The ids, and the sampling log-probability of the item's."""
        ready = {column.name: self(column, values)}
        if _is_item(column):
            likely = self._log_probabilities[column.name]
            ready[f"{column.name}_log_probability"] = tf.gather(likely, ready[column.name])
        return ready


def _is_item(column: ColumnSchema) -> bool:
    return Tags.ITEM_ID in column.tags and not column.is_list
