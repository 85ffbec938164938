"""How often each item stands in the training rows, and what follows from it."""

from collections.abc import Mapping

import numpy as np

from tfdual.data import Rows
from tfdual.evaluation.corpus import Corpus, row_values
from tfdual.evaluation.evaluation_options import Training

BATCH = 65_536
HEAD_SHARE = 1 / 3


def training_counts(train: Training, corpus: Corpus, item_id: str) -> np.ndarray:
    """`(items,)` counts of the corpus's items, in one streamed pass over the training rows.

    Raises:
        ValueError: no item of the corpus stands there; a column is missing; a count is negative.
    """
    counts = np.zeros(len(corpus), np.int64)
    if isinstance(train, Mapping):
        ids = np.array([key.encode() if isinstance(key, str) else key for key in train] or [0])
        ids = ids.astype(object) if ids.dtype.kind == "S" else ids
        positions = corpus.positions(ids, "train")[: len(train)]
        given = np.array(list(train.values()), np.int64)
        if (given < 0).any():
            raise ValueError(f"Counts of training rows are 0 or more. Received {given.min()}.")
        counts[positions[positions >= 0]] = given[positions >= 0]
    else:
        for batch in _id_batches(train, item_id):
            positions = corpus.positions(row_values(batch, item_id)[1], item_id)
            counts += np.bincount(positions[positions >= 0], minlength=len(corpus))
    if not counts.any():
        raise ValueError(f"No item of the corpus stands in `train`. Compare its '{item_id}' with that of the items.")
    return counts


def item_slices(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Masks `(items,)` of the items that a figure may be of alone.

    Head: the most popular items that together take a third of the training rows; tail: all others. New: in no
    training row; old: all others. Equal counts are kept apart by position alone.

    Reference: Cremonesi et al., 2010, "Performance of recommender algorithms on top-n recommendation tasks" (for head
    and tail)
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    head = np.zeros(len(counts), bool)
    head[order[before < HEAD_SHARE * counts.sum()]] = True
    new = counts == 0
    return {"head items": head, "tail items": ~head} | ({"old items": ~new, "new items": new} if new.any() else {})


def _id_batches(train: Training, item_id: str):  # type: ignore[no-untyped-def]
    if not isinstance(train, Rows):
        return train
    if item_id not in train.schema:
        raise ValueError(f"The training rows lack the column '{item_id}'. They have {train.schema.column_names}.")
    return train.select(train.schema.select_by_name([item_id])).batch(BATCH)
