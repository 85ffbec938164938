"""Interactions with the columns of their users and items."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data.key_hash import check_key, key_hash
from tfdual.data.row_mask import RowMask
from tfdual.data.rows import Rows
from tfdual.data.sources.derived import DerivedSource
from tfdual.schema import Schema


def join(rows: Rows, table: Rows, on: str, unmatched: str = "raise") -> Rows:
    """Each row with the columns of the row of `table` that has the same key.

    `rows` are streamed, `table` is held in memory, so the larger of the two stands first.

    Args:
        rows: Rows, e.g. interactions.
        table: Rows, e.g. of items; each key stands once.
        on: str. The key, a column of both, integers or strings.
        unmatched: str. What becomes of a row whose key is missing or not in `table`: `"raise"` when it is met, `"drop"`
            it, or `"null"` to leave the columns of `table` without a value, for which they must be nullable. Defaults
            to `"raise"`.

    Returns:
        `Rows` of both schemas: first the columns of `rows`, then the others of `table`.

    Raises:
        KeyError: one of them lacks the key.
        TypeError: one of them is no Rows; the keys are no single integers or strings, or not the same on both sides.
        ValueError: a key stands twice in `table`, a column is in both, or is not nullable where it must be.

    Example:
        >>> from tfdual import Schema, read
        >>> clicks = read({"item": [2, 1, 2]}, Schema(["item"]))
        >>> items = read({"item": [1, 2], "price": [10, 20]}, Schema(["item", "price"]))
        >>> join(clicks, items, on="item").to_arrow()["price"].to_pylist()
        [20, 10, 20]
    """
    if wrong := [type(each).__name__ for each in (rows, table) if not isinstance(each, Rows)]:
        raise TypeError(f"join() takes Rows twice, as `read(source, schema)` gives them. Received {wrong[0]}.")
    if unmatched not in ("raise", "drop", "null"):
        raise ValueError(f'unmatched is "raise", "drop" or "null". Received {unmatched!r}.')
    added = _added(rows.schema, table.schema, on, unmatched == "null")
    lookup = KeyLookup(table.to_arrow(), on)
    if unmatched == "drop":
        keys = (part.column(on) for part in rows.select(rows.schema.select_by_name(on)).tables())
        rows = rows.where(RowMask(lookup.positions(key) >= 0 for key in keys))

    def columns(passing: pa.Table, _: np.ndarray, names: Sequence[str]) -> dict[str, pa.Array]:
        found = lookup.positions(passing.column(on))
        if unmatched == "raise" and (found < 0).any():
            key = passing.column(on)[int(np.argmax(found < 0))].as_py()
            raise ValueError(
                f"{table.source} has no row for {on} = {key!r}, which {rows.source} holds. Add it, or pass "
                'unmatched="drop" or unmatched="null".'
            )
        places = pa.array(found, mask=found < 0)
        return {name: lookup.table.column(name).take(places) for name in names}

    return Rows(DerivedSource(rows.stream, added, [on], columns), rows.schema + added)


def _added(schema: Schema, other: Schema, on: str, may_lack: bool) -> Schema:
    """The columns of `other` that come to those of `schema`."""
    for column in (schema[on], other[on]):
        check_key(column)
    if (schema[on].dtype == "string") != (other[on].dtype == "string"):
        dtypes = f"{schema[on].dtype} and {other[on].dtype}"
        raise TypeError(f"The key '{on}' must be strings or integers on both sides. Received {dtypes}.")
    added = other.excluding_by_name(on)
    if both := [name for name in added.column_names if name in schema]:
        raise ValueError(f"The columns {both} stand on both sides. Leave them out of one, with `rows.select(...)`.")
    if may_lack and (strict := [column.name for column in added if not column.nullable]):
        raise ValueError(
            f'unmatched="null" needs nullable columns, and {strict} are not. Give them '
            'properties={"nullable": True}, or pass unmatched="drop".'
        )
    return added


class KeyLookup:
    """Rows of a table by their key; rows without a key are left out.

    Args:
        table: pyarrow.Table, in memory.
        key: str. Its key column.

    Raises:
        ValueError: a key stands twice.
    """

    def __init__(self, table: pa.Table, key: str) -> None:
        self.table = table.combine_chunks()
        self._keys = self.table.column(key)
        hashes = key_hash(self._keys)
        order = np.argsort(hashes, kind="stable")
        self._order = order[self._keys.is_valid().to_numpy()[order]]
        self._hashes = hashes[self._order]
        shared = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        left, right = (self._keys.take(pa.array(self._order[places])) for places in (shared, shared + 1))
        if len(twice := np.flatnonzero(pc.equal(left, right).to_numpy())):
            value = left[int(twice[0])].as_py()
            raise ValueError(
                f"The key {value!r} of '{key}' stands more than once. Use `rows.unique(by={key!r})` first."
            )
        # Different strings may share a hash, so as many rows may have to be looked at.
        self._most = int(np.unique(self._hashes, return_counts=True)[1].max(initial=0))

    def positions(self, keys: pa.ChunkedArray) -> np.ndarray:
        """The row of the table for each key; -1 where there is none."""
        hashes = key_hash(keys)
        begins = np.searchsorted(self._hashes, hashes)
        found = np.full(len(hashes), -1)
        for places in (np.minimum(begins + i, len(self._hashes) - 1) for i in range(self._most)):
            candidates = self._order[places]
            same = pc.fill_null(pc.equal(self._keys.take(pa.array(candidates)), keys), False).to_numpy()
            found = np.where(same, candidates, found)
        return found
