"""Quality of ranked lists: functions of a hit matrix."""

from collections.abc import Sequence

import numpy as np


def recall(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Share of a query's relevant items among its first `k`.

    Args:
        hits: bool `(queries, depth)`. Whether the item at each rank is relevant; depth >= k, or all items.
        relevant: int `(queries,)`. How many items are relevant; at least 1.
        k: int.

    Returns:
        `(queries,)`.
    """
    return np.asarray(hits[:, :k].sum(axis=1) / relevant)


def hit_rate(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """1 where the first `k` hold a relevant item. Arguments as for `recall`."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """1 / rank of the first relevant item, 0 where it is not among the first `k`. Arguments as for `recall`."""
    first = hits[:, :k].argmax(axis=1)
    return np.asarray(np.where(hits[:, :k].any(axis=1), 1.0 / (first + 1), 0.0))


def ndcg(hits: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Discounted cumulative gain over the best possible one, gains of 0 or 1. Arguments as for `recall`.

    Reference: Järvelin and Kekäläinen, 2002
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])
    gained: np.ndarray = (hits[:, :k] * discounts[: hits[:, :k].shape[1]]).sum(axis=1)
    return gained / best[np.minimum(relevant, k)]


METRICS = {"recall": recall, "ndcg": ndcg, "mrr": reciprocal_rank, "hit_rate": hit_rate}


def ranking_metrics(hits: np.ndarray, relevant: np.ndarray, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Every metric at every `k`, a value a query: `{"recall@10": (queries,), ...}`."""
    return {f"{name}@{k}": metric(hits, relevant, k) for name, metric in METRICS.items() for k in ks}
