"""Clustered vectors for the index benchmark, the same for every variant, and the exact answers."""

from pathlib import Path

import numpy as np

DIM = 64
K = 10
BLOCK = 64  # columns whose greatest score stands for them
AT_ONCE = 1 << 26  # scores held together
ITEMS_A_CENTRE, CENTRES = 50, 4_000
SPREAD = 0.6  # of a cluster, in lengths of its centre
LENGTHS = 0.1  # standard deviation of an item's log length
FILES = ("items", "queries", "tuning", "exact")


class Clusters:
    """Centres of unequal weight, around which vectors lie; both have few strong directions and many weak ones.

    Args:
        centres: int.
        seed: int.
    """

    def __init__(self, centres: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        strengths = np.arange(1, DIM + 1) ** -0.5
        rotation = np.linalg.qr(self._rng.standard_normal((DIM, DIM)))[0]
        self._directions = (strengths[:, None] * rotation).astype(np.float32)
        self._centres = self._vectors(centres)
        weights = self._rng.lognormal(0, 1, centres)
        self._weights = weights / weights.sum()

    def draw(self, count: int) -> np.ndarray:
        """Vectors of about unit length, `(count, DIM)`; no two lengths are equal, as a two-tower model has them."""
        vectors = self._centres[self._rng.choice(len(self._centres), count, p=self._weights)]
        vectors += SPREAD * self._vectors(count)
        lengths = self._rng.lognormal(0, LENGTHS, (count, 1)).astype(np.float32)
        return vectors * (lengths / np.linalg.norm(vectors, axis=1, keepdims=True))

    def _vectors(self, count: int) -> np.ndarray:
        return self._rng.standard_normal((count, DIM), dtype=np.float32) @ self._directions


def write(folder: Path, items: int, queries: int) -> None:
    """Items, queries, as many other queries to tune on, and the exact top 10 of the queries."""
    clusters = Clusters(max(1, min(CENTRES, items // ITEMS_A_CENTRE)), seed=0)
    vectors, asked, tuning = clusters.draw(items), clusters.draw(queries), clusters.draw(queries)
    for name, values in zip(FILES, (vectors, asked, tuning, exact_top(vectors, asked)), strict=True):
        np.save(folder / f"{name}.npy", values)


def read(folder: Path, name: str) -> np.ndarray:
    """One of `FILES`."""
    return np.load(folder / f"{name}.npy")


def exact_top(items: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Positions of the 10 greatest inner products, in any order, `(queries, K)`: by a plain matrix product.

    The best 10 stand in the 10 blocks of columns with the greatest maxima, or in the columns that fill no block.
    """
    whole = len(items) // BLOCK * BLOCK
    columns = np.ascontiguousarray(items.T)
    at_once = max(1, AT_ONCE // len(items))
    best = []
    for start in range(0, len(queries), at_once):
        scores = queries[start : start + at_once] @ columns
        maxima = scores[:, :whole].reshape(len(scores), -1, BLOCK).max(axis=2)
        blocks = np.argpartition(-maxima, min(K, maxima.shape[1] - 1), axis=1)[:, :K]
        inside = (blocks[:, :, None] * BLOCK + np.arange(BLOCK)).reshape(len(scores), -1)
        rest = np.broadcast_to(np.arange(whole, len(items)), (len(scores), len(items) - whole))
        candidates = np.concatenate([inside, rest], axis=1)
        order = np.argpartition(-np.take_along_axis(scores, candidates, axis=1), K - 1, axis=1)[:, :K]
        best.append(np.take_along_axis(candidates, order, axis=1))
    return np.concatenate(best)


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact positions that were found, `(queries, K)` both."""
    return float((found[:, :, None] == exact[:, None, :]).any(axis=1).mean())
