"""What a recommender must beat: the most popular items, and the items most like those that the user liked."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfdual._optional import require

_BLOCK = 1_024


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
        ImportError: scipy is not installed.
        ValueError: `item_ids` has duplicates, or a query has fewer than `k` unseen items.
    """
    corpus, _ = _by_popularity(np.asarray(item_ids), np.asarray(train_item_ids))
    return _best_unseen(lambda rows: np.zeros((rows.stop - rows.start, len(corpus)), np.float32), corpus, seen, k)


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

    `U_i` are the users of item i, `N(i)` its `neighbours` most similar items. Likes and similarities are held sparse;
    what is dense are blocks of 1,024 rows.

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
        ImportError: scipy is not installed.
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
    _, rows = np.unique(users, return_inverse=True)
    columns, found = _positions(corpus, items)
    liked = _ones(rows[found], columns, (rows.max(initial=-1) + 1, known))
    nearest = _nearest(liked, neighbours, shrinkage)
    history = _held(corpus, histories)[:, :known]

    def scores(rows: slice) -> np.ndarray:
        found = np.zeros((rows.stop - rows.start, len(corpus)), np.float32)
        found[:, :known] = (history[rows] @ nearest.T).toarray()
        return found

    return _best_unseen(scores, corpus, seen, k)


def _by_popularity(item_ids: np.ndarray, train_item_ids: np.ndarray) -> tuple[np.ndarray, int]:
    """The corpus, most popular first, and how many of it occur in training: the front part."""
    rows, _ = _positions(item_ids, train_item_ids)
    counts = np.bincount(rows, minlength=len(item_ids))
    return item_ids[np.argsort(-counts, kind="stable")], int(np.count_nonzero(counts))


def _sparse() -> Any:
    return require("scipy.sparse", extra="demo")


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Any:
    matrix = _sparse().csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape)  # sums what stands twice
    matrix.data[:] = 1
    return matrix


def _held(corpus: np.ndarray, lists: Sequence[ArrayLike]) -> Any:
    """1 where a list holds an item, `(lists, items)`."""
    arrays = [np.asarray(ids) for ids in lists]
    columns, found = _positions(corpus, np.concatenate([ids for ids in arrays if len(ids)] or [corpus[:0]]))
    rows = np.repeat(np.arange(len(arrays)), [len(ids) for ids in arrays])
    return _ones(rows[found], columns, (len(arrays), len(corpus)))


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


def _nearest(liked: Any, neighbours: int, shrinkage: float) -> Any:
    """The similarities of each item with its neighbours, `(items, items)`."""
    sparse, root, items = _sparse(), np.sqrt(liked.sum(axis=0)), liked.shape[1]
    of_items, kept = liked.T.tocsr(), [sparse.csr_array((0, items), dtype=np.float32)]
    for start in range(0, items, _BLOCK):
        block = np.arange(start, min(start + _BLOCK, items))
        similar = (of_items[block] @ liked).toarray()
        similar /= root[block, None] * root + shrinkage
        similar[block - start, block] = 0
        kept.append(sparse.csr_array(_strongest(similar, neighbours)))
    return sparse.vstack(kept, format="csr")


def _strongest(similar: np.ndarray, neighbours: int) -> np.ndarray:
    if neighbours >= similar.shape[1]:
        return similar
    weakest = np.argpartition(-similar, neighbours, axis=1)[:, neighbours:]
    np.put_along_axis(similar, weakest, 0, axis=1)
    return similar


def _best_unseen(
    scores: Callable[[slice], np.ndarray], corpus: np.ndarray, seen: Sequence[ArrayLike], k: int
) -> np.ndarray:
    """Of equal scores, that comes first which stands first in the corpus."""
    hidden = _held(corpus, seen)
    fewest = len(corpus) - int(hidden.sum(axis=1).max(initial=0))
    if not 1 <= k <= fewest:
        raise ValueError(f"k must be from 1 to {fewest}, the fewest unseen items of a query. Received {k}.")
    best = np.zeros((len(seen), k), np.int32)
    for start in range(0, len(seen), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(seen)))
        found = scores(rows)
        found[hidden[rows].nonzero()] = -np.inf
        best[rows] = tf.math.top_k(found, k).indices
    return corpus[best]
