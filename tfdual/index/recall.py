"""How much of the exact result a search finds, and on which queries that is asked."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfdual.index.best_places import Found, joined
from tfdual.index.distances import prepared_queries, scores_among
from tfdual.index.live_items import LiveItems
from tfdual.index.live_search import live_search

if TYPE_CHECKING:
    from tfdual.index.index import Index

QUERIES = 512
K = 10
NOISE = 0.5


def noisy_items(rows: np.ndarray, count: int) -> np.ndarray:
    """Queries, where none are given: sampled items, each moved in a random direction by half its length.

    An item as it is would be the easiest query: it is its own neighbour, and lies where the index was trained.
    """
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(rows), min(count, len(rows)), replace=False))
    rows = np.asarray(rows[chosen], np.float32)
    noise = rng.normal(size=rows.shape)
    noise *= NOISE * np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    return (rows + noise).astype(np.float32)


def recall_between(found: np.ndarray, exact: np.ndarray) -> float:
    """The mean share of the exact positions that were found, `(queries, k)` both; -1 marks an empty place."""
    shares = [
        len(set(mine) & set(best)) / len(best)
        for mine, row in zip(found.tolist(), exact.tolist(), strict=True)
        if (best := [position for position in row if position >= 0])
    ]
    return float(np.mean(shares)) if shares else 1.0


def exact_positions(index: "Index", queries: np.ndarray, k: int) -> np.ndarray:
    """Positions of the best `k` items by a scan of all that an index holds, `(queries, k)`."""
    exact = ExactTop(prepared_queries(np.asarray(queries, np.float32), index.distance).numpy(), index.distance, k)
    for _ in exact.watching(index.rows()):
        pass
    return np.flatnonzero(index.items.is_live())[exact.positions]


def scanned_positions(live: LiveItems, scan: Callable[..., Found], queries: Any, k: int) -> np.ndarray:
    """Positions of the best `k` items by a search of the build that is exact, `(queries, k)`; as for `live_search`."""
    queries = tf.convert_to_tensor(queries, tf.float32)
    return live_search(live, scan, queries, tf.constant(k), None, None, live.changed)[0].numpy()


def measured_recall(index: "Index", queries: np.ndarray, k: int = K) -> float:
    """The share of the exact best `k` that an index finds, a mean over queries `(queries, dim)`.

    Raises:
        ValueError: the index was made with `keep_embeddings=False`; k below 1; queries of another width.
    """
    found, _ = index.search_positions(queries, k)
    return recall_between(found.numpy(), index.exact_positions(queries, k))


class ExactTop:
    """The exact best of a few queries, found while blocks of items go by.

    Args:
        queries: float32 `(queries, dim)`, prepared.
        distance: str.
        k: int. Defaults to 10.
    """

    def __init__(self, queries: np.ndarray, distance: str, k: int = K) -> None:
        self._queries, self._distance, self._k = tf.constant(queries), distance, k
        self._best: Found = (tf.zeros([len(queries), 0], tf.int32), tf.zeros([len(queries), 0]))

    @property
    def positions(self) -> np.ndarray:
        """`(queries, k)`, or as many as there were items."""
        return self._best[0].numpy()

    def watching(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks."""
        start = 0
        for block in blocks:
            scores, columns = tf.math.top_k(
                scores_among(self._queries, block, self._distance), min(self._k, len(block))
            )
            start += len(block)
            self._best = joined(self._best, (columns + start - len(block), scores), min(self._k, start))
            yield block
