"""What a recommender must beat: the most popular items, and the items most like those that the user liked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

_BLOCK_ITEMS = 1024


def popularity_rank(train_item_ids: ArrayLike, item_ids: ArrayLike, seen: Sequence[ArrayLike], k: int) -> np.ndarray:
    """Rank the unseen items by how often they occur in training; ties stand in the order of `item_ids`.

    Args:
        train_item_ids: array `(interactions,)`. Those that are not in `item_ids` are ignored.
        item_ids: array `(items,)`. The whole corpus, each id once.
        seen: a sequence of id arrays, one a query: what must not be returned.
        k: int. How many to return.

    Returns:
        Array `(queries, k)` of item ids, best first.

    Raises:
        ValueError: `item_ids` has duplicates, or a query has fewer than `k` unseen items.
    """
    corpus, _ = _by_popularity(np.asarray(item_ids), np.asarray(train_item_ids))
    return _best_unseen(np.zeros((len(seen), len(corpus)), np.float32), corpus, seen, k)


def item_to_item_rank(
    train_user_ids: ArrayLike,
    train_item_ids: ArrayLike,
    item_ids: ArrayLike,
    histories: Sequence[ArrayLike],
    seen: Sequence[ArrayLike],
    k: int,
    neighbours: int = 100,
    shrinkage: float = 20.0,
) -> np.ndarray:
    """Rank the unseen items by their summed similarity to the items of the history; ties by popularity.

    `score(u, i) = sum_{j in history(u) and in N(i)} |U_i and U_j| / (sqrt(|U_i| |U_j|) + shrinkage)`

    `U_i` are the users of item i, `N(i)` its `neighbours` most similar items. The training matrix is held dense: users
    x items that occur in training.

    Args:
        train_user_ids: array `(interactions,)`.
        train_item_ids: array `(interactions,)`. Those that are not in `item_ids` are ignored.
        item_ids: array `(items,)`. The whole corpus, each id once.
        histories: a sequence of id arrays, one a query: all that its user liked.
        seen: a sequence of id arrays, one a query: what must not be returned.
        k: int. How many to return.
        neighbours: int. Similar items kept for each item.
        shrinkage: float. Pulls the similarity of items with few users to zero. Both defaults were chosen by NDCG@10 on
            the validation part of ml-latest-small.

    Returns:
        Array `(queries, k)` of item ids, best first.

    Raises:
        ValueError: the lengths don't match, `item_ids` has duplicates, a setting is out of range, or a query has fewer
            than `k` unseen items.

    Reference: Deshpande and Karypis, 2004, doi:10.1145/963770.963776
    """
    users, items = np.asarray(train_user_ids), np.asarray(train_item_ids)
    if len(users) != len(items) or len(histories) != len(seen):
        raise ValueError(
            "item_to_item_rank() needs one user for each training item and one history for each seen list. Received "
            f"{len(users)} users, {len(items)} items, {len(histories)} histories, {len(seen)} seen lists."
        )
    if neighbours < 1 or shrinkage < 0:
        raise ValueError(f"neighbours must be >= 1 and shrinkage >= 0. Received {neighbours} and {shrinkage}.")
    corpus, known = _by_popularity(np.asarray(item_ids), items)
    liked = _likes_of_users(users, items, corpus[:known])  # (users, items of training)
    history = np.zeros((len(histories), known), np.float32)  # (queries, items of training)
    for row, ids in enumerate(histories):
        history[row, _positions(corpus[:known], np.asarray(ids, corpus.dtype))[0]] = 1
    scores = np.zeros((len(histories), len(corpus)), np.float32)
    for start in range(0, known, _BLOCK_ITEMS):
        similar = _similarity(liked, slice(start, start + _BLOCK_ITEMS), shrinkage)
        scores[:, start : start + len(similar)] = history @ _strongest(similar, neighbours).T
    return _best_unseen(scores, corpus, seen, k)


def _by_popularity(item_ids: np.ndarray, train_item_ids: np.ndarray) -> tuple[np.ndarray, int]:
    """The corpus, most popular first, and how many of it occur in training: the front part."""
    rows, _ = _positions(item_ids, train_item_ids)
    counts = np.bincount(rows, minlength=len(item_ids))
    return item_ids[np.argsort(-counts, kind="stable")], int(np.count_nonzero(counts))


def _likes_of_users(users: np.ndarray, items: np.ndarray, known_items: np.ndarray) -> np.ndarray:
    distinct, user_rows = np.unique(users, return_inverse=True)
    columns, found = _positions(known_items, items)
    liked = np.zeros((len(distinct), len(known_items)), np.float32)
    liked[user_rows[found], columns] = 1
    return liked


def _positions(item_ids: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the known ones of `ids` stand in `item_ids`, and which of them are known."""
    if not len(item_ids):
        return np.zeros(0, np.int64), np.zeros(len(ids), bool)
    order = np.argsort(item_ids, kind="stable")
    ordered = item_ids[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("item_ids must hold each item once. Received duplicates; pass `np.unique(item_ids)`.")
    places = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
    found = ordered[places] == ids
    return order[places[found]], found


def _similarity(liked: np.ndarray, block: slice, shrinkage: float) -> np.ndarray:
    root = np.sqrt(liked.sum(axis=0))
    similar = liked[:, block].T @ liked  # (block, items)
    similar /= root[block, None] * root + shrinkage
    rows = np.arange(len(similar))
    similar[rows, rows + block.start] = 0
    return similar


def _strongest(similar: np.ndarray, neighbours: int) -> np.ndarray:
    if neighbours >= similar.shape[1]:
        return similar
    weakest = np.argpartition(-similar, neighbours, axis=1)[:, neighbours:]
    np.put_along_axis(similar, weakest, 0, axis=1)
    return similar


def _best_unseen(scores: np.ndarray, corpus: np.ndarray, seen: Sequence[ArrayLike], k: int) -> np.ndarray:
    for row, ids in enumerate(seen):
        scores[row, _positions(corpus, np.asarray(ids, corpus.dtype))[0]] = -np.inf
    fewest = int(np.isfinite(scores).sum(axis=1).min(initial=len(corpus)))
    if not 1 <= k <= fewest:
        raise ValueError(f"k must be from 1 to {fewest}, the fewest unseen items of a query. Received {k}.")
    return corpus[np.argsort(-scores, axis=1, kind="stable")[:, :k]]
