"""Ids of items to positions, outside a graph."""

import numpy as np


class SortedIds:
    """A binary search in ids.

    Args:
        ids: integers or strings, `(items,)`. Of equal ones the first is found.

    Attributes:
        values: the ids in order.
        order: int64. Where each of them stood.
    """

    def __init__(self, ids: np.ndarray) -> None:
        self.order = np.argsort(ids, kind="stable")
        self.values = ids[self.order]

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Where ids of any shape and of the same kind stood; -1 for those that aren't there."""
        if not len(self.values):
            return np.full(np.shape(ids), -1, np.int64)
        places = np.minimum(np.searchsorted(self.values, ids), len(self.values) - 1)
        return np.where(self.values[places] == ids, self.order[places], -1)
