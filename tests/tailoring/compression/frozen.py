"""Frozen vectors of few hidden directions, as a title's and a body's embeddings are."""

import numpy as np

WIDTHS = {"body": 24, "title": 16}


def frozen_parts(rows: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    """Two views of one hidden vector of 12 numbers, not in the order of their names, and of any length."""
    views = {name: np.random.default_rng(width).normal(size=(12, width)) for name, width in WIDTHS.items()}
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 12)) * np.linspace(2.0, 0.3, 12) + 0.4
    made = {name: hidden @ views[name] + 0.3 * rng.normal(size=(rows, WIDTHS[name])) for name in ("title", "body")}
    return {name: (vectors * rng.uniform(0.5, 3, (rows, 1))).astype(np.float32) for name, vectors in made.items()}


def clustered_parts(rows: int = 400, clusters: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """The same of rows that lie in clusters, as documents of some topics do."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(clusters, 20))
    hidden = topics[rng.integers(clusters, size=rows)] + 0.4 * rng.normal(size=(rows, 20)) + 1.0
    return {
        name: (hidden @ rng.normal(size=(20, 2 * width)) + 0.5 * rng.normal(size=(rows, 2 * width))).astype(np.float32)
        for name, width in WIDTHS.items()
    }


def side_by_side(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Body, then title, each at length 1, in float64."""
    found = [parts[name].astype(np.float64) for name in ("body", "title")]
    return np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True) for part in found], axis=1)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(queries: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Positions by cosine, `(queries, k)`."""
    return np.argsort(-(unit(queries) @ unit(items).T), axis=1, kind="stable")[:, :k]


def shared(found: np.ndarray, best: np.ndarray) -> float:
    """The mean share of the best that was found."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), best.tolist(), strict=True)]))
