"""Several ranked lists of each query -> one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfdual.index import Neighbours
from tfdual.ranking.ranked_ids import check_one_type, padding, ranked_ids

NORMALISATIONS = ("min-max", "z-score", None)
TOLERANCE = 1e-5


def reciprocal_rank_fusion(
    rankings: Sequence[Any], k: float = 60.0, weights: Sequence[float] | None = None, depth: int | None = None
) -> Neighbours:
    """Fuse lists by the ranks alone: `score = sum over the lists of weight / (k + rank)`.

    A list in which an item is missing adds nothing. Among equal scores, what stands higher in the first list comes
    first, then what stands higher in the second, and so on.

    Args:
        rankings: for each list ids `(queries, depth)`, best first, of depths of their own, padded at the end with -1
            or `""`.
        k: float, above -1. How little the first ranks stand out. Defaults to 60, as in the paper.
        weights: one a list, at least 0. Defaults to `None`: 1 each.
        depth: int. How many items to give. Defaults to `None`: all.

    Returns:
        `Neighbours(ids, scores)`, NumPy arrays; ids int64 or `str`. The places behind a query's last item have the id
        -1 or `""`, and the score -inf.

    Raises:
        ValueError: no list; lists of different numbers of queries; a list that holds an item twice, or an id over
            int64; a `k`, weights or `depth` as above.
        TypeError: ids of different types.

    Example:
        >>> fused = reciprocal_rank_fusion([[["a", "b", "c"]], [["c", "a", "d"]]], k=1)
        >>> fused.ids.tolist(), fused.scores.astype("float64").round(3).tolist()
        ([['a', 'c', 'b', 'd']], [[0.833, 0.75, 0.333, 0.25]])

    Reference: Cormack et al., 2009, doi:10.1145/1571941.1572114
    """
    ids = _checked_ids(rankings)
    factors = _checked_weights(weights, len(ids))
    if not -1 < k < np.inf:
        raise ValueError(f"k is above -1, so that the first rank counts. Received {k}.")
    shares = [
        np.broadcast_to(weight / (k + 1 + np.arange(part.shape[1])), part.shape)
        for weight, part in zip(factors, ids, strict=True)
    ]
    return _fused(ids, shares, np.zeros(len(ids[0])), depth)


def weighted_fusion(
    lists: Sequence[tuple[Any, Any]],
    weights: Sequence[float] | None = None,
    normalise: str | None = "min-max",
    minimums: Sequence[float | None] | None = None,
    depth: int | None = None,
) -> Neighbours:
    """Fuse lists by their scores, each list made comparable: `score = sum over the lists of weight * normalised score`.

    Of each query and list, with `low` and `high` its lowest and highest score:

    - `"min-max"`: `(score - low) / (high - low)`. Where all scores are equal, they are 1, and a missing item has 0.
    - `"z-score"`: `(score - mean) / standard deviation`. Where all are equal, 0.
    - `None`: the score as it is.

    An item that is missing in a list counts as one with the score `low` there.

    Args:
        lists: for each list ids and scores, both `(queries, depth)`, such as `Neighbours`; depths of their own; the
            padding is -1 or `""`.
        weights: one a list, at least 0. Defaults to `None`: 1 each.
        normalise: `"min-max"`, `"z-score"` or `None`. Defaults to `"min-max"`.
        minimums: for each list the lowest score that there can be, which then is `low`, or `None`: 0 for BM25, -1 for
            a cosine. In a full list a missing item still counts as the lowest that is seen, which it may be close to;
            where places are empty, as `low`. Not for `"z-score"`. Defaults to `None`: the lowest that is seen.
        depth: int. How many items to give. Defaults to `None`: all.

    Returns:
        As `reciprocal_rank_fusion`, ties likewise.

    Raises:
        ValueError: as there; a score of an item that is not finite, or below its minimum; another normalisation.
        TypeError: ids of different types.

    Example:
        >>> lists = [([[7, 8, 9]], [[0.9, 0.8, 0.1]]), ([[9, 8, -1]], [[20.0, 5.0, -np.inf]])]
        >>> fused = weighted_fusion(lists, weights=[0.5, 0.5], minimums=[-1.0, 0.0])
        >>> fused.ids.tolist(), fused.scores.astype("float64").round(3).tolist()
        ([[9, 8, 7]], [[0.789, 0.599, 0.5]])

    Reference: Bruch et al., 2023, arXiv:2210.11934
    """
    ids = _checked_ids([part for part, _ in lists])
    factors = _checked_weights(weights, len(ids))
    if normalise not in NORMALISATIONS:
        raise ValueError(f"Scores are made comparable by {NORMALISATIONS}. Received normalise={normalise!r}.")
    lowest = [None] * len(ids) if minimums is None else list(minimums)
    if len(lowest) != len(ids) or (normalise == "z-score" and lowest.count(None) < len(ids)):
        raise ValueError(
            f"`minimums` are one number or None a list, of {len(ids)} lists, and none for the z-score. "
            f"Received {minimums}."
        )
    shares, missing = [], np.zeros(len(ids[0]))
    for weight, part, (_, scores), low in zip(factors, ids, lists, lowest, strict=True):
        there = part != padding(part)
        values, absent = _normalised(_checked_scores(scores, there, low), there, normalise, low)
        shares.append(weight * (values - absent[:, None]))
        missing += weight * absent
    return _fused(ids, shares, missing, depth)


def _normalised(
    scores: np.ndarray, there: np.ndarray, normalise: str | None, minimum: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """The values of the items, and that of one which is missing, a query."""
    some = there.any(axis=1)
    seen = np.where(some, np.min(scores, axis=1, where=there, initial=np.inf), 0.0)
    low = seen if minimum is None else np.full(len(scores), float(minimum))
    high = np.where(some, np.max(scores, axis=1, where=there, initial=-np.inf), low)
    absent = np.where(some & there.all(axis=1), seen, low)
    if normalise is None:
        return scores, absent
    if normalise == "min-max":
        alone, apart = 1.0 if minimum is None else 0.0, high > low
        span = np.where(apart, high - low, 1.0)
        values = np.where(apart[:, None], (scores - low[:, None]) / span[:, None], alone)
        return values, (absent - low) / span
    counts = np.maximum(there.sum(axis=1), 1)
    mean = np.sum(scores, axis=1, where=there) / counts
    spread = np.sqrt(np.sum((scores - mean[:, None]) ** 2, axis=1, where=there) / counts)
    spread, mean = np.where(high > low, spread, np.inf), np.where(some, mean, 0.0)
    return (scores - mean[:, None]) / spread[:, None], (low - mean) / spread


def _fused(
    lists: Sequence[np.ndarray], shares: Sequence[np.ndarray], missing: np.ndarray, depth: int | None
) -> Neighbours:
    """The sum of each item's shares and of `missing` of its query, best first."""
    if depth is not None and depth < 1:
        raise ValueError(f"depth is at least 1. Received {depth}.")
    ids, added = np.concatenate(lists, axis=1), np.concatenate(shares, axis=1)  # (queries, all depths)
    queries, width = ids.shape
    if not ids.size:
        shape = (queries, min(depth or 0, width))
        return Neighbours(np.full(shape, padding(ids), ids.dtype), np.full(shape, -np.inf, np.float32))
    every, codes = np.unique(ids, return_inverse=True)
    codes = codes.reshape(ids.shape)
    order = np.argsort(codes, axis=1, kind="stable")
    codes = np.take_along_axis(codes, order, axis=1)
    starts = np.ones(codes.shape, bool)
    starts[:, 1:] = codes[:, 1:] != codes[:, :-1]
    first = np.flatnonzero(starts)  # of each query's different ids, in the flat arrays
    sums = np.add.reduceat(np.take_along_axis(added, order, axis=1).ravel(), first)
    rows, items, places = first // width, codes.ravel()[first], order.ravel()[first]
    kept = every[items] != padding(ids)
    rows, items, places, sums = rows[kept], items[kept], places[kept], sums[kept]
    sums = (sums + missing[rows]).astype(np.float32)  # ties are those of the scores that are told
    best = np.lexsort((places, -sums, rows))
    counts = np.bincount(rows, minlength=queries)
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)  # rows are ascending already
    out = int(counts.max()) if depth is None else min(depth, width)
    best, ranks, rows = best[ranks < out], ranks[ranks < out], rows[ranks < out]
    fused = np.full((queries, out), padding(ids), ids.dtype)
    scores = np.full((queries, out), -np.inf, np.float32)
    fused[rows, ranks], scores[rows, ranks] = every[items[best]], sums[best]
    return Neighbours(fused, scores)


def _checked_ids(rankings: Sequence[Any]) -> list[np.ndarray]:
    """Ids of one type, each list `(queries, depth)`."""
    lists = [ranked_ids(ids) for ids in rankings]
    if not lists or any(ids.ndim != 2 for ids in lists) or len({len(ids) for ids in lists}) > 1:
        shapes = [ids.shape for ids in lists]
        raise ValueError(f"Fusion takes lists of ids (queries, depth), of the same queries. Received shapes {shapes}.")
    filled = [ids for ids in lists if ids.size]
    check_one_type(filled)
    kind = filled[0].dtype if filled else lists[0].dtype
    for number, ids in enumerate(lists):
        ordered = np.sort(ids, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != padding(ids))
        if twice.any():
            row, column = np.argwhere(twice)[0]
            raise ValueError(
                f"List {number} of query {row} holds {ordered[row, column].item()!r} twice. Rank each item once."
            )
    return [ids if ids.size else ids.astype(kind) for ids in lists]


def _checked_weights(weights: Sequence[float] | None, lists: int) -> np.ndarray:
    given = np.ones(lists) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (lists,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ValueError(
            f"A fusion takes a weight of at least 0 for each of {lists} lists, not 0 for all. Received {weights}."
        )
    return given


def _checked_scores(scores: Any, there: np.ndarray, minimum: float | None) -> np.ndarray:
    """Float64 scores, 0 at padding."""
    given = np.asarray(scores, np.float64)
    if given.shape != there.shape:
        raise ValueError(f"A list has a score for each id, {there.shape}. Received {given.shape}.")
    given = np.where(there, given, 0.0)
    if not np.isfinite(given).all():
        raise ValueError("A score of an item is NaN or infinite. Take such items out of the list.")
    if minimum is not None:
        lowest = np.min(given, where=there, initial=np.inf)
        if lowest < minimum - TOLERANCE * (1 + abs(minimum)):
            raise ValueError(f"The minimum of a list is {minimum}, and a score of it {lowest:.6g}. Give a lower one.")
        given = np.where(there, np.maximum(given, minimum), 0.0)
    return given
