"""How often each value of a stream was seen."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MERGE_ROWS = 1_000_000


class ValueCounts:
    """Counts of distinct values in Arrow: no Python object a value.

    A distinct integer takes 16 bytes, a distinct string its length and 16 bytes, twice that and the hash table of the
    merge while counts are merged. Batches are merged when as many rows wait as are merged already.

    Example:
        >>> counts = ValueCounts()
        >>> counts.add(pa.array(["a", "b", "a"]))
        >>> counts.table().sort_by("value").to_pylist()
        [{'value': 'a', 'count': 2}, {'value': 'b', 'count': 1}]
    """

    def __init__(self, table: pa.Table | None = None) -> None:
        self._parts = [] if table is None else [table]
        self._merged = len(self._parts)
        self._waiting = 0

    def __deepcopy__(self, memo: dict) -> "ValueCounts":
        """Counts of their own; tables never change."""
        own = ValueCounts()
        own._parts, own._merged, own._waiting = list(self._parts), self._merged, self._waiting
        return own

    def add(self, values: pa.Array) -> None:
        """Count the values of one batch, none of them null."""
        if pa.types.is_string(values.type):
            values = values.cast(pa.large_string())
        counted = pc.value_counts(values)
        self._parts.append(pa.table({"value": counted.field("values"), "count": counted.field("counts")}))
        self._waiting += len(counted)
        if self._waiting > max(MERGE_ROWS, self._parts[0].num_rows if self._merged else 0):
            self.table()

    def table(self) -> pa.Table:
        """`value` and `count`, each value once, in no order; None before the first batch."""
        if len(self._parts) > self._merged:
            self._parts = [merged(self._parts)]
            self._merged, self._waiting = 1, 0
        return self._parts[0]


def merged(tables: list[pa.Table]) -> pa.Table:
    """The sums of several counts."""
    if len(tables) == 1:
        return tables[0]
    both = pa.concat_tables(tables)
    if not both.num_rows:
        return tables[0]
    encoded = both["value"].dictionary_encode()  # a third of the memory of `group_by`, and the time
    places = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    counts = np.bincount(places, weights=both["count"].to_numpy())
    return pa.table({"value": encoded.chunk(0).dictionary, "count": counts.astype(np.int64)})


def most_frequent(counts: pa.Table, min_count: int, limit: int | None) -> pa.ChunkedArray:
    """The values that were seen at least `min_count` times, the most frequent first, ties by value."""
    kept = counts.filter(pc.greater_equal(counts["count"], min_count)) if min_count > 1 else counts
    order = pc.sort_indices(kept, sort_keys=[("count", "descending"), ("value", "ascending")])
    return kept["value"].take(order[:limit])
