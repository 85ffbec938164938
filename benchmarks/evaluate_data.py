"""Embeddings of items and queries for the evaluation benchmark, the same for every variant."""

from pathlib import Path

import numpy as np

DIM = 64
K = 100
NOISE = 2.2  # about half of the queries find their item among the 100 best of 200,000
FILES = ("items", "queries", "positives")


def write(folder: Path, items: int, queries: int) -> None:
    """Normal vectors; a query is its item and noise."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((items, DIM), dtype=np.float32)
    positives = rng.integers(0, items, queries)
    asked = vectors[positives] + NOISE * rng.standard_normal((queries, DIM), dtype=np.float32)
    for name, values in zip(FILES, (vectors, asked, positives), strict=True):
        np.save(folder / f"{name}.npy", values)


def read(folder: Path, queries: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All items, the first queries, and the position of each query's item."""
    items, asked, positives = (np.load(folder / f"{name}.npy") for name in FILES)
    return items, asked[:queries], positives[:queries]
