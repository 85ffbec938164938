"""Quality of ranked lists: functions of the gain at each rank."""

from collections.abc import Sequence

import numpy as np


def precision(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Share of the first `k` places that hold a relevant item; a list shorter than `k` is not excused.

    Args:
        gains: `(queries, depth)`. The grade of the item at each rank, 0 or False where it is not relevant; depth >= k,
            or all items.
        relevant: int `(queries,)`, how many items are relevant, at least 1; or `(queries, n)`, the grades of all
            relevant items, padded with 0.
        k: int.

    Returns:
        `(queries,)`.
    """
    return np.asarray((gains[:, :k] > 0).sum(axis=1) / k)


def recall(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Share of a query's relevant items among its first `k`. Arguments as for `precision`."""
    return np.asarray((gains[:, :k] > 0).sum(axis=1) / _counts(relevant))


def hit_rate(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """1 where the first `k` hold a relevant item. Arguments as for `precision`."""
    return np.asarray((gains[:, :k] > 0).any(axis=1), dtype=np.float64)


def reciprocal_rank(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """1 / rank of the first relevant item, 0 where it is not among the first `k`. Arguments as for `precision`."""
    hits = gains[:, :k] > 0
    return np.asarray(np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0))


def average_precision(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Precision at the rank of each relevant item among the first `k`, summed and divided by all that are relevant.

    The mean over queries is MAP. It is trec_eval's `map_cut_k`: where more than `k` items are relevant, even a perfect
    list stays below 1. Arguments as for `precision`.
    """
    hits = gains[:, :k] > 0
    precisions = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits * precisions).sum(axis=1) / _counts(relevant))


def ndcg(gains: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Discounted cumulative gain over the best possible one: `sum_i grade_i / log2(1 + rank_i)`.

    The gain is linear in the grade, as in trec_eval, not `2^grade - 1`. Arguments as for `precision`.

    Reference: Järvelin and Kekäläinen, 2002
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    gained = _discounted(gains[:, :k], discounts)
    if relevant.ndim == 1:
        best = np.cumsum(discounts)[np.minimum(relevant, k) - 1]
    else:
        best = _discounted(-np.sort(-relevant, axis=1)[:, :k], discounts)
    return np.asarray(gained / best)


METRICS = {
    "recall": recall,
    "precision": precision,
    "hit_rate": hit_rate,
    "ndcg": ndcg,
    "mrr": reciprocal_rank,
    "map": average_precision,
}


def ranking_metrics(gains: np.ndarray, relevant: np.ndarray, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Every metric at every `k`, a value a query: `{"recall@10": (queries,), ...}`. Arguments as for `precision`.

    Example:
        >>> values = ranking_metrics(np.array([[0, 3, 0, 1]]), np.array([[3, 1]]), [2])
        >>> {name: round(float(value[0]), 3) for name, value in values.items()}
        {'recall@2': 0.5, 'precision@2': 0.5, 'hit_rate@2': 1.0, 'ndcg@2': 0.521, 'mrr@2': 0.5, 'map@2': 0.25}
    """
    return {f"{name}@{k}": metric(gains, relevant, k) for name, metric in METRICS.items() for k in ks}


def break_ties(gains: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The gains by falling score; among equal scores, the worst order for the model: relevant items last.

    A model that gives every item the same score has ranked nothing, and gets nothing for it.

    Args:
        gains: `(queries, depth)`.
        scores: `(queries, depth)`, minus infinity where there is no item.

    Example:
        >>> break_ties(np.array([[1, 0, 0, 2, 0]]), np.array([[0.9, 0.5, 0.9, 0.5, 0.1]])).tolist()
        [[0, 1, 0, 2, 0]]
    """
    if (scores[:, 1:] < scores[:, :-1]).all():
        return gains
    order = np.lexsort((gains, -scores), axis=-1)
    return np.take_along_axis(gains, order, axis=1)


def _discounted(gains: np.ndarray, discounts: np.ndarray) -> np.ndarray:
    """Summed from the first rank to the last, so that neither the batch nor padding moves the last digit."""
    return np.cumsum(gains * discounts[: gains.shape[1]], axis=1)[:, -1]


def _counts(relevant: np.ndarray) -> np.ndarray:
    return relevant if relevant.ndim == 1 else (relevant > 0).sum(axis=1)
