"""Search among embedded items, a block of queries at a time."""

import numpy as np
import tensorflow as tf
from keras import ops

from tfdual.evaluation.corpus import padded
from tfdual.evaluation.judgements import Judgements
from tfdual.index import Index
from tfdual.interactions import Interaction

QUERY_BLOCK = 512
BLOCK_SCORES = 1 << 27
PAIR_NUMBERS = 1 << 23  # of the pairs that are scored at once


def query_block(items: int) -> int:
    """How many queries to search at once: an index may hold a score for each item and each of them."""
    return max(1, min(QUERY_BLOCK, BLOCK_SCORES // items))


def search_index(
    index: Index, queries: np.ndarray, depth: int, exclude: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and positions of the best items, `(queries, depth)` or all items.

    Args:
        index: Index, built.
        queries: `(queries, ...)`, as the index takes them.
        depth: int.
        exclude: pairs (row of the queries, position), by row, not to be found.
    """
    found = []
    size = query_block(index.size)
    for start in range(0, len(queries), size):
        block = tf.constant(queries[start : start + size])
        hidden = None
        if exclude is not None:
            first, last = np.searchsorted(exclude[0], [start, start + size])
            rows, positions = (values[first:last] for values in exclude)
            hidden = tf.constant(padded(rows - start, positions, len(block)), tf.int32)
        places, scores = index.search_positions(block, depth, hidden)
        found.append((scores.numpy(), places.numpy()))
    return np.concatenate([scores for scores, _ in found]), np.concatenate([places for _, places in found])


def rank_candidates(
    interaction: Interaction,
    embeddings: np.ndarray,
    queries: np.ndarray,
    depth: int,
    candidates: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and positions of each query's best candidates, `(queries, depth)` or as many as the longest list.

    Args:
        interaction: Interaction.
        embeddings: `(items, ...)`.
        queries: `(queries, ...)`.
        depth: int.
        candidates: pairs (row of the queries, position), by row; only these are scored.
    """
    rows, positions = candidates
    scores = np.zeros(len(rows), np.float32)
    pairs = max(1, PAIR_NUMBERS // max(queries[0].size, embeddings[0].size))
    for start in range(0, len(rows), pairs):
        block = slice(start, start + pairs)
        found = interaction.each(queries[rows[block]], embeddings[positions[block]][:, None])
        scores[block] = ops.convert_to_numpy(found)[:, 0]
    order = np.lexsort((-scores, rows))
    lengths = np.bincount(rows, minlength=len(queries))
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    kept = ranks < depth
    width = int(min(depth, lengths.max(initial=1)))
    best = np.full((len(queries), width), -np.inf, np.float32)
    places = np.full((len(queries), width), -1)
    best[rows[kept], ranks[kept]] = scores[order][kept]
    places[rows[kept], ranks[kept]] = positions[order][kept]
    return best, places


def without(
    judged: Judgements, rows: np.ndarray, scores: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A ranking without what is excluded: the rest moves up, and the places at the end are empty."""
    if judged.excluded is None:
        return scores, positions
    hidden = judged.excluded[0] * judged.items + judged.excluded[1]
    gone = np.isin(rows[:, None] * judged.items + positions, hidden) & (positions >= 0)
    order = np.argsort(gone, axis=1, kind="stable")
    scores = np.where(gone, -np.inf, scores)
    positions = np.where(gone, -1, positions)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def of_rows(pairs: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of some ascending rows, which become rows 0, 1, ..."""
    places = np.minimum(np.searchsorted(rows, pairs[0]), len(rows) - 1)
    kept = rows[places] == pairs[0]
    return places[kept], pairs[1][kept]
