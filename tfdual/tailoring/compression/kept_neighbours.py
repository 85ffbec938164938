"""How much of an exact search shorter vectors keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual.index import BruteForce, Index
from tfdual.index.recall import recall_between
from tfdual.metrics import ndcg

SAMPLE = 1_000


class KeptNeighbours:
    """Queries, their exact nearest items, and where there are labels, the relevant ones.

    Args:
        items: float32 `(items, width)`, all parts side by side.
        queries: float32 `(queries, width)`. None: up to 1,000 of the items, which are not to find themselves.
        relevant: for each query, the positions of its relevant items. None: there are no labels.
        k: int.
        seed: int. Of the sample.
    """

    def __init__(
        self,
        items: np.ndarray,
        queries: np.ndarray | None,
        relevant: Sequence[np.ndarray] | None,
        k: int,
        seed: int = 0,
    ) -> None:
        self.k, self._relevant = k, relevant
        self.sample: np.ndarray | None = None
        if queries is None:
            rng = np.random.default_rng(seed)
            self.sample = np.sort(rng.choice(len(items), min(SAMPLE, len(items)), replace=False)).astype(np.int32)
        index = BruteForce().build(items)
        asked = items[self.sample] if queries is None else queries
        self.count = len(asked)
        self._exact = self._found(index, asked)
        self.ndcg = self._ndcg(self._exact)

    def of(self, index: Index, items: np.ndarray, queries: np.ndarray | None) -> tuple[float, float | None]:
        """Recall of the exact nearest, and NDCG by labels, of an index that isn't built yet.

        Args:
            index: Index.
            items: float32 `(items, width)`.
            queries: float32 `(queries, width)`. None: the sampled items.
        """
        found = self._found(index.build(items), items[self.sample] if queries is None else queries)
        return recall_between(found, self._exact), self._ndcg(found)

    def _found(self, index: Index, queries: np.ndarray) -> np.ndarray:
        exclude: Any = None if self.sample is None else tf.constant(self.sample[:, None])
        return index.search_positions(tf.constant(queries), self.k, exclude)[0].numpy()

    def _ndcg(self, found: np.ndarray) -> float | None:
        if self._relevant is None:
            return None
        gains = np.stack([np.isin(row, wanted) for row, wanted in zip(found, self._relevant, strict=True)])
        return float(ndcg(gains, np.array([len(wanted) for wanted in self._relevant]), self.k).mean())
