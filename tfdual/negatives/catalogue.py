"""The items that there are, read once."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from keras import ops

from tfdual._backend import is_ragged
from tfdual._typing import Tensor
from tfdual.negatives.stored_arrays import on_host

UNKNOWN = 0
UNKNOWN_ITEMS = (
    f"; {UNKNOWN} is every item that the vocabulary doesn't know. Let it know all items, also those that no row names: "
    "Preprocessor(schema, {item: Vocabulary.of(all_ids)})."
)


class Catalogue:
    """Items as model-ready columns, by position.

    Sources that draw from the same items share one, so that it is read and held once:
    `catalogue = Catalogue(items)`, then `Uniform(1024).adapt(catalogue)`. Each of them saves it.

    Args:
        items: tf.data.Dataset, or another iterable, of batches: dicts of column name -> `(items, ...)`, e.g.
            `corpus.batch(4096).map(preprocessor)`. Lists are ragged, or all of one length.
        item_id: str. The column of ids. Defaults to `"item_id"`.

    Raises:
        ValueError: no item; no column of ids, or ids that repeat; columns that differ between batches; strings.
        TypeError: a batch is no dict, or ids are no integers.

    Example:
        >>> catalogue = Catalogue([{"item_id": np.array([3, 1])}, {"item_id": np.array([2])}])
        >>> len(catalogue), catalogue.ids.tolist()
        (3, [3, 1, 2])
    """

    def __init__(self, items: Iterable[Mapping[str, Tensor]], item_id: str = "item_id") -> None:
        self.item_id = item_id
        self.arrays = {name: on_host(array) for name, array in _read(items, item_id).items()}
        ids = self.ids
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if repeated.size:
            raise ValueError(
                f"Item ids must differ; the column '{item_id}' repeats {repeated[:5].tolist()}. Leave one row of each"
                + (UNKNOWN_ITEMS if UNKNOWN in repeated else ".")
            )
        self.arrays |= {"ids": on_host(ids), "ordered_ids": on_host(ordered), "order": on_host(order)}

    @classmethod
    def of(cls, items: "Catalogue | Iterable[Mapping[str, Tensor]]", item_id: str) -> "Catalogue":
        """The catalogue itself, or one of these items."""
        return items if isinstance(items, Catalogue) else cls(items, item_id)

    @property
    def ids(self) -> np.ndarray:
        """The id at each position, int64."""
        return ops.convert_to_numpy(self.arrays[f"dense:{self.item_id}"]).astype(np.int64, copy=False)

    def __len__(self) -> int:
        return len(self.ids)


def _read(items: Iterable[Mapping[str, Tensor]], item_id: str) -> dict[str, np.ndarray]:
    """`dense:<column>`, or `values:<column>` and `row_splits:<column>`, of all batches."""
    parts: dict[str, list[np.ndarray]] = {}
    lengths: dict[str, list[np.ndarray]] = {}
    names: list[str] = []
    for columns in items:
        _check_batch(columns, item_id)
        if names and sorted(columns) != names:
            raise ValueError(f"All batches of items need the same columns. Received {names}, then {sorted(columns)}.")
        names = sorted(columns)
        rows = len(np.asarray(columns[item_id]))
        for name in names:
            values, row_lengths = _values(name, columns[name], rows)
            parts.setdefault(name, []).append(values)
            lengths.setdefault(name, []).extend([] if row_lengths is None else [row_lengths])
    arrays: dict[str, np.ndarray] = {}
    for name in names:
        _check_parts(name, parts[name], lengths[name])
        values = np.concatenate(parts.pop(name))
        if lengths[name]:
            arrays[f"values:{name}"] = values
            arrays[f"row_splits:{name}"] = np.cumsum(np.concatenate([[0], *lengths[name]]), dtype=np.int64)
        else:
            arrays[f"dense:{name}"] = values
    if not names or not len(arrays[f"dense:{item_id}"]):
        raise ValueError("The item corpus is empty. Give a dataset that has at least one item.")
    return arrays


def _check_batch(columns: Any, item_id: str) -> None:
    if not isinstance(columns, Mapping):
        raise TypeError(f"Items come as dicts of columns. Received {type(columns).__name__}.")
    if item_id not in columns:
        raise ValueError(
            f"The items lack their ids, the column '{item_id}'. They have {sorted(columns)}. Name it: item_id=..."
        )
    ids = columns[item_id]
    if is_ragged(ids) or np.ndim(ids) != 1:
        raise ValueError(
            f"The column '{item_id}' holds one id an item, (items,). Received a list an item, or rows that are not "
            "batched: use `items.batch(4096)`."
        )
    if np.asarray(ids).dtype.kind not in "iu":
        raise TypeError(
            f"The ids of '{item_id}' must be integers. Received {np.asarray(ids).dtype}. Map raw items with a "
            "`Preprocessor`."
        )


def _values(name: str, column: Tensor, rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The values of one column of one batch, and the lengths of its lists where they are ragged."""
    ragged = is_ragged(column)
    if ragged and column.ragged_rank > 1:
        raise ValueError(f"The column '{name}' holds lists of lists. Items have lists of one level.")
    values = np.asarray(column.flat_values if ragged else column)
    lengths = np.asarray(column.row_lengths()) if ragged else None
    if values.dtype.kind not in "iufb":
        raise ValueError(
            f"The column '{name}' of the items holds {values.dtype}. A catalogue keeps numbers alone, such as ids. "
            "Leave the column out where no encoder reads it, or give ids or vectors of its texts; `TextNegatives` "
            "takes texts themselves."
        )
    found = len(lengths) if lengths is not None else (len(values) if values.ndim else 0)
    if found != rows:
        raise ValueError(f"The column '{name}' has {found} rows in a batch of {rows} items. Give a value an item.")
    return values, lengths


def _check_parts(name: str, parts: list[np.ndarray], lengths: list[np.ndarray]) -> None:
    kinds = {(part.dtype.name, part.shape[1:]) for part in parts}
    if len(kinds) > 1 or len(lengths) not in (0, len(parts)):
        raise ValueError(
            f"The column '{name}' differs between batches of items: {sorted(kinds, key=str)}. Make its lists "
            "ragged, or all of one length."
        )
