"""Quality over the whole corpus."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfdual.data import Rows
from tfdual.index import BruteForce, Index
from tfdual.metrics import ranking_metrics
from tfdual.models import DualEncoder
from tfdual.models.item_batches import encode_batches
from tfdual.preprocessing import Preprocessor

QUERY_BLOCK = 512


def evaluate(
    model: DualEncoder,
    queries: Rows | tf.data.Dataset,
    items: Rows | tf.data.Dataset,
    ks: Sequence[int] = (10, 100),
    preprocessor: Preprocessor | None = None,
    relevant: str | None = None,
    seen: str | None = None,
    index: Index | None = None,
) -> dict[str, float]:
    """Search the whole corpus for each query and score the lists: recall, NDCG, MRR, hit rate.

    Both `queries` and `items` are raw rows (then `preprocessor` is needed and ids are raw ids), or both are datasets
    of model-ready batches (then ids are vocabulary ids).

    Args:
        model: DualEncoder.
        queries: one row a query.
        items: one row an item, all with different ids.
        ks: cut-offs. Defaults to `(10, 100)`.
        preprocessor: Preprocessor, for raw rows. Defaults to `None`.
        relevant: str. The column of `queries` that holds the relevant item id, or the list of them. Defaults to
            `None`: the model's item id column.
        seen: str. The column of `queries` with item ids that are not to be found, such as what the user saw in
            training. Defaults to `None`.
        index: Index. Defaults to `None`: exact search.

    Returns:
        `{"recall@10": ..., "ndcg@10": ..., "mrr@10": ..., "hit_rate@10": ..., ...}`, means over the queries that
        have a relevant item in the corpus, and `"queries"`, their number.

    Raises:
        ValueError: no cut-off, or one below 1; a column is missing; model-ready items of id 0, the unknown one; no
            query has a relevant item in the corpus.
    """
    if not ks or min(ks) < 1:
        raise ValueError(f"evaluate() needs cut-offs of at least 1. Received ks={tuple(ks)}.")
    relevant = relevant or model.item_id
    corpus = Corpus(model, items, preprocessor, index)
    totals: dict[str, float] = {}
    count = 0
    for batch, embeddings in encode_batches(model.compiled_encode_query, queries, preprocessor):
        rows, positives = corpus.positions(batch, relevant)
        excluded = None if seen is None else corpus.positions(batch, seen)
        hits, sizes = corpus.hits(embeddings, rows, positives, excluded, max(ks))
        known = sizes > 0
        count += int(known.sum())
        for name, values in ranking_metrics(hits[known], sizes[known], ks).items():
            totals[name] = totals.get(name, 0.0) + float(values.sum())
    if not count:
        raise ValueError(f"No query has a relevant item in the corpus. Compare '{relevant}' with '{model.item_id}'.")
    return {name: total / count for name, total in totals.items()} | {"queries": count}


class Corpus:
    """The embedded items, and where each id stands among them.

    Args: as for `evaluate`.

    Raises:
        ValueError: the items lack their id, or an id stands twice.
    """

    def __init__(
        self,
        model: DualEncoder,
        items: Rows | tf.data.Dataset,
        preprocessor: Preprocessor | None,
        index: Index | None = None,
    ) -> None:
        embeddings, ids = [], []
        for batch, embedding in encode_batches(model.compiled_encode_item, items, preprocessor):
            embeddings.append(embedding)
            ids.append(_values(batch, model.item_id)[1])
        self.ids = np.concatenate(ids)
        if isinstance(items, tf.data.Dataset) and self.ids.dtype != object and not self.ids.all():
            raise ValueError(
                f"{int((self.ids == 0).sum())} items have the id 0 in '{model.item_id}': they are unknown to the "
                "vocabulary and can't be told apart. Pass raw rows of `tfdual.read`, and preprocessor=..."
            )
        self._order = np.argsort(self.ids, kind="stable")
        self._sorted = self.ids[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise ValueError(
                f"Item ids must differ; the column '{model.item_id}' repeats some. Use `rows.unique(by=...)`."
            )
        self.index = (index or BruteForce()).build(np.concatenate(embeddings))

    def positions(self, batch: dict, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (row of the batch, position of the item) of an id column; ids of no item are left out."""
        rows, ids = _values(batch, column)
        places = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        known = self._sorted[places] == ids
        return rows[known], self._order[places[known]]

    def hits(
        self,
        embeddings: np.ndarray,
        rows: np.ndarray,
        positives: np.ndarray,
        excluded: tuple[np.ndarray, np.ndarray] | None,
        depth: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether the item at each rank is relevant, `(batch, depth)`, and how many are, `(batch,)`."""
        size = self.index.size
        relevant = np.unique(rows * size + positives)
        if excluded is not None:
            relevant = np.setdiff1d(relevant, excluded[0] * size + excluded[1])
        exclude = None if excluded is None else _padded(*excluded, len(embeddings))
        found = []
        for start in range(0, len(embeddings), QUERY_BLOCK):
            block = slice(start, start + QUERY_BLOCK)
            part = None if exclude is None else tf.constant(exclude[block])
            found.append(self.index.search(tf.constant(embeddings[block]), depth, part)[1].numpy())
        keys = np.arange(len(embeddings))[:, None] * size + np.concatenate(found)
        hits = np.isin(keys, relevant) & (np.concatenate(found) >= 0)
        return hits, np.bincount(relevant // size, minlength=len(embeddings))


def _values(batch: dict, column: str) -> tuple[np.ndarray, np.ndarray]:
    if column not in batch:
        raise ValueError(f"The rows lack the id column '{column}'. They have {sorted(batch)}.")
    values = batch[column]
    if isinstance(values, tf.RaggedTensor):
        return values.value_rowids().numpy(), values.flat_values.numpy()
    ids = values.numpy()
    return np.repeat(np.arange(len(ids)), ids.size // max(1, len(ids))), ids.reshape(-1)


def _padded(rows: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
    lengths = np.bincount(rows, minlength=count)
    padded = np.full((count, max(1, lengths.max())), -1, dtype=np.int32)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = positions
    return padded
