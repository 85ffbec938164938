"""Centroids of vectors, by k-means."""

import numpy as np

STEPS = 5
PRODUCTS_AT_ONCE = 1 << 25


def trained_centroids(rows: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """Centroids after a few steps of Lloyd's algorithm, float32 `(count, dim)`.

    Args:
        rows: float32 `(rows, dim)`, at least `count`.
        count: int.
        chance: what the first centroids are drawn by, and those in place of such that no row is near to.
    """
    centroids = rows[np.sort(chance.choice(len(rows), count, replace=False))]
    for _ in range(STEPS):
        nearest = assigned(rows, centroids)
        order = np.argsort(nearest, kind="stable")
        present, starts, counts = np.unique(nearest[order], return_index=True, return_counts=True)
        centroids = rows[chance.choice(len(rows), count, replace=False)]
        centroids[present] = np.add.reduceat(rows[order], starts, axis=0) / counts[:, None]
    return centroids


def assigned(rows: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The nearest centroid of each row, int `(rows,)`."""
    lengths = np.square(centroids).sum(axis=1) / 2
    size = max(1, PRODUCTS_AT_ONCE // len(centroids))
    parts = [
        np.argmax(rows[start : start + size] @ centroids.T - lengths, axis=1) for start in range(0, len(rows), size)
    ]
    return np.concatenate(parts)
