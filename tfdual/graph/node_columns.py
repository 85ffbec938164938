"""The columns of the nodes of one type, by id."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfdual._typing import Tensor
from tfdual.negatives import Catalogue

SHOWN = 5


def columns_by_id(
    node_type: str, batches: Iterable[Mapping[str, Tensor]], column: str, count: int, unknown: int = 1
) -> dict[str, np.ndarray]:
    """Arrays whose row i is of node i: `dense:<column>`, or `values:<column>` and `row_splits:<column>` of lists.

    A node that stands for unknown values has zeros and empty lists unless there is a row for it.

    Args:
        node_type: str. For messages.
        batches: model-ready columns, one row a node.
        column: str. The column of their ids.
        count: int. How many nodes there are.
        unknown: int. How many of the first stand for unknown values. Defaults to 1.

    Raises:
        ValueError: an id outside the nodes, or a node of a known value without a row; and what `Catalogue` refuses.
    """
    catalogue = Catalogue(batches, column)
    ids = catalogue.ids
    if (outside := ids[(ids < 0) | (ids >= count)]).size:
        raise ValueError(
            f"The rows of '{node_type}' name nodes outside 0 .. {count - 1}: {outside[:SHOWN].tolist()}. Drop these."
        )
    row = np.full(count, -1)
    row[ids] = np.arange(len(ids))
    if (missing := np.flatnonzero(row[unknown:] < 0) + unknown).size:
        raise ValueError(
            f"{len(missing)} nodes of '{node_type}' have no row, such as {missing[:SHOWN].tolist()}. Give one for each "
            f"node from {unknown} on; where more first ids are of unknown values, say how many: unknown=..."
        )
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in catalogue.arrays.items():
        kind, _, of = name.partition(":")
        if kind == "dense":
            arrays[name] = _rows(np.asarray(tensor), row)
        elif kind == "row_splits":
            values, splits = _lists(np.asarray(catalogue.arrays[f"values:{of}"]), np.asarray(tensor), row)
            arrays |= {f"values:{of}": values, name: splits}
    return arrays | {f"dense:{column}": np.arange(count, dtype=arrays[f"dense:{column}"].dtype)}


def merged_columns(here: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of both, as `columns_by_id` makes them; a column that both have is the second's."""
    given = _names(there)
    return {key: array for key, array in here.items() if not _names([key]) & given} | dict(there)


def differing_columns(here: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]) -> list[str]:
    """The columns that both have, with other values."""
    same = {key for key in here.keys() & there.keys() if np.array_equal(here[key], there[key])}
    return sorted(_names(here) & _names(there) & _names((here.keys() | there.keys()) - same))


def _names(keys: Iterable[str]) -> set[str]:
    return {key.partition(":")[2] for key in keys}


def _rows(values: np.ndarray, row: np.ndarray) -> np.ndarray:
    found = values[row]
    found[row < 0] = 0
    return found


def _lists(values: np.ndarray, splits: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.where(row < 0, 0, np.diff(splits)[row])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(splits[row] - ends[:-1], lengths) + np.arange(ends[-1])
    return values[places], ends
