"""Attributes of items by their ids, outside the graph."""

from typing import Any

import numpy as np

from tfdual.serving.raw_input import plainest_query
from tfdual.serving.retriever import Retriever


class FoundAttributes:
    """The attributes of all items, read by one search through all of them.

    Args:
        retriever: Retriever.
        items: int. How many it holds.
    """

    def __init__(self, retriever: Retriever, items: int) -> None:
        self._columns: dict[str, np.ndarray] = {}
        names = retriever.description["attributes"]
        if names:
            found = retriever.search(plainest_query(retriever.query_schema), items)
            order = np.argsort(found["id"][0], kind="stable")
            self._ids = found["id"][0][order]
            self._columns = {name: found[name][0][order] for name in names}

    def of(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """The attributes of items, each of the shape of `ids`; `""`, NaN, -1 or false where there is no item."""
        if not self._columns:
            return {}
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        there = self._ids[places] == ids
        return {name: np.where(there, values[places], _missing(values)) for name, values in self._columns.items()}


def _missing(values: np.ndarray) -> Any:
    if values.dtype.kind == "U":
        return ""
    return values.dtype.type({"f": np.nan, "b": False}.get(values.dtype.kind, -1))
