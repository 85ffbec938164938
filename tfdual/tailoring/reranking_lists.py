"""Lists of candidates to train a re-ranker on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._sorted_ids import SortedIds
from tfdual.index import Index
from tfdual.index.item_ids import id_array, kind_of, shown
from tfdual.tailoring.frozen_items import FrozenItems

SEARCHED_AT_ONCE = 1_024


def reranking_lists(
    queries: Any,
    relevant: Sequence[Mapping[Any, float] | Sequence[Any]],
    items: FrozenItems,
    index: Index,
    hard: int = 50,
    random: int = 0,
    batch: int = 32,
    seed: int = 0,
    query: str = "query_vector",
    item: str = "vector",
) -> tf.data.Dataset:
    """For each query its judged items, the items that the index ranks first among the others, and random ones.

    What a re-ranker will see when it serves is what the index finds, so that these are its negatives. An item that is
    right and wasn't judged is among them, as in every such list.

    Args:
        queries: `(queries, dim)`: what the index is searched by.
        relevant: for each query its judged items: ids, or a mapping of id -> grade, at least 0; 0 is judged and wrong.
        items: FrozenItems that the index holds.
        index: Index of them.
        hard: int. Items of the index, not judged. Defaults to 50.
        random: int. Items drawn at random from the others, a query, once; all where there are fewer. Defaults to 0.
        batch: int. Queries a batch. Defaults to 32.
        seed: int. Of the random items and of the order of the queries, another one each epoch. Defaults to 0.
        query: str. What the column of query vectors is called. Defaults to `"query_vector"`.
        item: str. What the column of item vectors is called. Defaults to `"vector"`.

    Returns:
        Batches of `{query: (batch, dim), item: (batch, candidates, dim)}` and grades `(batch, candidates)`, -1 where a
        query has no more candidates.

    Raises:
        ValueError: not a list of judged items for each query, or none at all; an id that the items lack, a grade below
            0; no candidates beside the judged ones; an index of other items or in another order, or one that was
            changed after it was built.
    """
    vectors = np.ascontiguousarray(queries, np.float32)
    if len(relevant) != len(vectors) or not any(map(len, relevant)):
        raise ValueError(f"Each query needs its judged items. Received {len(relevant)} lists, {len(vectors)} queries.")
    if min(hard, random) < 0 or hard + random < 1:
        raise ValueError(f"A list holds items that were not judged. Received hard={hard}, random={random}.")
    _require_index_of(items, index)
    judged = _judged(relevant, items)
    kept = np.flatnonzero([len(one[0]) for one in judged])
    places, grades = _candidates(vectors, judged, index, hard, random, np.random.default_rng(seed))
    held = items.vectors

    def gathered(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        def arrays(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return vectors[rows], held[np.maximum(places[rows], 0)], grades[rows]

        found = tf.numpy_function(arrays, [rows], [tf.float32] * 3, stateful=False)
        shapes = [None, vectors.shape[1]], [None, places.shape[1], items.dim], [None, places.shape[1]]
        asked, candidates, labels = (tf.ensure_shape(each, shape) for each, shape in zip(found, shapes, strict=True))
        return {query: asked, item: candidates}, labels

    order = tf.data.Dataset.from_tensor_slices(kept).shuffle(len(kept), seed)
    return order.batch(batch).map(gathered).prefetch(1)


def _require_index_of(items: FrozenItems, index: Index) -> None:
    """Refuse an index whose positions aren't rows of the items."""
    if any(index.items.changed):
        raise ValueError(
            "The index was changed after it was built, so that the frozen items aren't what it finds. Make FrozenItems "
            "of what it holds now, and build one of them by `items.index(...)`."
        )
    if index.size != len(items) or index.space != items.space:
        raise ValueError(
            f"The index holds {index.size} items of the space {index.space or 'unknown'}, the frozen items are "
            f"{len(items)} of {items.space}. Build it by `items.index(...)`."
        )
    if not np.array_equal(index.items.live_ids(), items.ids):
        raise ValueError(
            "The index holds items of other ids than the frozen ones, or in another order. Build it by "
            "`items.index(...)`."
        )


def _judged(relevant: Sequence[Mapping[Any, float] | Sequence[Any]], items: FrozenItems) -> list[tuple]:
    """Positions and grades of each query's judged items."""
    known, found = SortedIds(items.ids), []
    for row, judged in enumerate(relevant):
        ids = id_array(list(judged), kind_of(items.ids)) if len(judged) else items.ids[:0]
        grades = np.array(list(judged.values()) if isinstance(judged, Mapping) else np.ones(len(ids)), np.float32)
        places = known.positions(ids)
        if (places < 0).any():
            lacking = shown(ids[places < 0][0])
            raise ValueError(f"Query {row} has the judged item {lacking!r}, which the frozen items lack.")
        if (grades < 0).any() or not np.isfinite(grades).all():
            raise ValueError(f"Grades are 0 or more. Query {row} has {grades.min()}.")
        found.append((places, grades))
    return found


def _candidates(
    vectors: np.ndarray, judged: list[tuple], index: Index, hard: int, random: int, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the items and grades, `(queries, candidates)`, -1 behind the last."""
    most = max(len(places) for places, _ in judged)
    wanted = min(hard + most, index.size)
    shape = (len(vectors), most + hard + random)
    positions, grades = np.full(shape, -1, np.int64), np.full(shape, -1, np.float32)
    for start in range(0, len(vectors), SEARCHED_AT_ONCE):
        block = vectors[start : start + SEARCHED_AT_ONCE]
        ranked = index.search_positions(block, wanted)[0].numpy() if hard else np.empty((len(block), 0), np.int64)
        for row, best in enumerate(ranked, start):
            own, own_grades = judged[row]
            others = best[(best >= 0) & ~np.isin(best, own)][:hard]
            ahead = np.concatenate([own, others])
            drawn = chance.choice(index.size, min(index.size, random and random + len(ahead)), replace=False)
            found = np.concatenate([ahead, drawn[~np.isin(drawn, ahead)][:random]])
            positions[row, : len(found)] = found
            grades[row, : len(found)] = np.concatenate([own_grades, np.zeros(len(found) - len(own))])
    return positions, grades
