"""Nearest neighbours by NumPy, in float64."""

import subprocess
import sys
from pathlib import Path

import numpy as np


def scores_of(queries: np.ndarray, items: np.ndarray, distance: str) -> np.ndarray:
    """`(queries, items)`, the higher the better."""
    queries, items = queries.astype(np.float64), items.astype(np.float64)
    if distance == "dot":
        return queries @ items.T
    if distance == "l2":
        return -np.square(queries[:, None] - items[None]).sum(axis=2)
    return (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ (
        items / np.linalg.norm(items, axis=1, keepdims=True)
    ).T


def neighbours(
    queries: np.ndarray, items: np.ndarray, k: int, distance: str = "dot", hidden: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and scores; of equal scores the lower position first; -1 and -inf where all others are hidden."""
    scores = scores_of(queries, items, distance)
    if hidden is not None:
        scores = np.where(hidden, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isinf(best), -1, order), best


def clustered(count: int, seed: int, unit: bool = True) -> np.ndarray:
    """Vectors around 100 centres, as trained embeddings are."""
    centres = np.random.default_rng(0).normal(size=(100, 32))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, 100, count)] + 0.7 * rng.normal(size=(count, 32))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if unit else 1 / rng.uniform(0.5, 2, (count, 1))
    return (vectors / lengths).astype(np.float32)


def recall(found: np.ndarray, best: np.ndarray) -> float:
    """The mean share of the best that was found; -1 is none of them."""
    pairs = [(set(a), set(b) - {-1}) for a, b in zip(found.tolist(), best.tolist(), strict=True)]
    return float(np.mean([len(a & b) / len(b) for a, b in pairs if b]))


def run_alone(code: str, *arguments: object) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
