"""Quality over the whole corpus."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual.data import Rows
from tfdual.evaluation.corpus import Corpus, row_values
from tfdual.evaluation.evaluation_options import EvaluationOptions, Training
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.evaluation.item_search import of_rows, rank_candidates, search_index
from tfdual.evaluation.judgements import Judgements, QueryColumns
from tfdual.evaluation.popularity import training_counts
from tfdual.evaluation.scorecard import Scorecard, check_numbers, cut_offs
from tfdual.index import BruteForce, Index
from tfdual.models import DualEncoder
from tfdual.models.index_check import fitting
from tfdual.models.ready_batches import ReadyBatches
from tfdual.preprocessing import Preprocessor

DEFAULTS = EvaluationOptions()


def evaluate(
    model: DualEncoder,
    queries: Rows | tf.data.Dataset,
    items: Rows | tf.data.Dataset,
    ks: Iterable[int] = (10, 100),
    preprocessor: Preprocessor | None = None,
    relevant: str | None = None,
    seen: str | None = None,
    index: Index | None = None,
    train: Training | None = None,
    options: EvaluationOptions = DEFAULTS,
) -> EvaluationReport:
    """Search the whole corpus for each query and score the lists: recall, precision, hit rate, NDCG, MRR, MAP.

    Both `queries` and `items` are raw rows (then `preprocessor` is needed and ids are raw ids), or both are datasets
    of model-ready batches (then ids are vocabulary ids). Queries are streamed; embedded items and a few numbers a query
    are held, never a score for each pair. Among equal scores relevant items come last, so that a model that scores
    every item alike gets 0. What each figure is: `docs/evaluation.md`.

    Args:
        model: DualEncoder.
        queries: one row a query.
        items: one row an item, all with different ids.
        ks: cut-offs; above the size of the corpus, all of it is ranked. Defaults to `(10, 100)`.
        preprocessor: Preprocessor, for raw rows. Defaults to `None`.
        relevant: str. The column of `queries` that holds the relevant item id, or the list of them. Defaults to
            `None`: the model's item id column.
        seen: str. The column of `queries` with item ids that are not to be found, such as what the user saw in
            training. Defaults to `None`.
        index: Index. One of its settings is built; it stays as it is. Defaults to `None`: `model.exact_index()`. With
            `candidates` nothing is searched.
        train: the rows trained on, or item id -> count. Adds novelty and popularity bias, and slices of head and
            tail, new and old items. Defaults to `None`.
        options: EvaluationOptions: grades, candidates, slices, bootstrap. Defaults to `EvaluationOptions()`.

    Returns:
        `EvaluationReport`, a dict: `{"recall@10": ..., "ndcg@10": ..., ..., "queries": ...}`, means over the queries
        that have a relevant item in the corpus, and `"queries"`, their number.

    Raises:
        ValueError: no cut-off, or one below 1; a column is missing; no item, repeated ids, or model-ready items of id
            0, the unknown one; no query has a relevant item in the corpus; embeddings hold NaN; grades don't fit
            their ids; an index that scores by another interaction; a slice column of lists, or of more than 20 values;
            `train` shares no item with the corpus.
    """
    batches = ReadyBatches(queries, preprocessor), ReadyBatches(items, preprocessor)
    index = None if index is None else index.unbuilt()
    return evaluate_batches(model, *batches, ks, relevant, seen, index, train, options)


def evaluate_batches(
    model: DualEncoder,
    queries: ReadyBatches,
    items: ReadyBatches,
    ks: Iterable[int],
    relevant: str | None,
    seen: str | None,
    index: Index | None,
    train: Training | None,
    options: EvaluationOptions,
) -> EvaluationReport:
    """What `evaluate` does, with batches that may be kept from one time to the next."""
    ks, index = cut_offs(ks), fitting(model, index)
    columns = QueryColumns(relevant or model.item_id, seen, options.relevance, options.candidates, options.slices)
    corpus, blocks = embed_items(model, items)
    whole = joined(blocks) if blocks[0].ndim == 2 or options.candidates is not None else None
    counts = None if train is None else _counts(train, items, corpus)
    built = indexed(index, blocks if whole is None else whole)
    card = Scorecard(corpus, ks, columns, options, counts)
    for batch, encoded in queries.encoded("query", model.query_side.columns, model.compiled_encode_query):
        check_numbers(encoded, card.asked)

        def search(judged: Judgements, rows: np.ndarray, depth: int, encoded: np.ndarray = encoded) -> Any:
            if judged.candidates is not None and whole is not None:
                return rank_candidates(model.interaction, whole, encoded[rows], depth, of_rows(judged.candidates, rows))
            hidden = None if judged.excluded is None else of_rows(judged.excluded, rows)
            return search_index(built, encoded[rows], depth, hidden)

        card.add(batch, search)
    return card.report(settings(ks, columns, options) | {"index": built.describe()})


def embed_items(model: DualEncoder, items: ReadyBatches) -> tuple[Corpus, list[np.ndarray]]:
    """The ids and the embeddings, `(items, dim)` or `(items, vectors, dim)`, a block for each batch.

    Raises:
        ValueError: there is no item, an id stands twice, or model-ready items have the id 0.
    """
    embeddings, ids = [], []
    for batch, embedding in items.encoded("item", model.item_columns, model.compiled_encode_item):
        embeddings.append(embedding)
        ids.append(row_values(batch, model.item_id)[1])
    every = np.concatenate(ids or [np.zeros(0, np.int64)])
    if not items.raw and every.dtype != object and not every.all():
        raise ValueError(
            f"{int((every == 0).sum())} items have the id 0 in '{model.item_id}': they are unknown to the "
            "vocabulary and can't be told apart. Pass raw rows of `tfdual.read`, and preprocessor=..."
        )
    return Corpus(every, model.item_id), embeddings


def joined(blocks: list[np.ndarray]) -> np.ndarray:
    """All embeddings; where an item is several vectors, filled up with zeros to the most of any item."""
    if blocks[0].ndim == 2:
        return np.concatenate(blocks)
    most = max(block.shape[1] for block in blocks)
    return np.concatenate([np.pad(block, [(0, 0), (0, most - block.shape[1]), (0, 0)]) for block in blocks])


def indexed(index: Index, embeddings: np.ndarray | list[np.ndarray]) -> Index:
    """The index with these embeddings; what it traced for as many before is used again."""
    same = isinstance(embeddings, np.ndarray) and (index.size, index.dim) == embeddings.shape
    if same and isinstance(index, BruteForce) and index.is_exact:
        return index.replace(embeddings)
    return index.build(embeddings)


def settings(ks: tuple[int, ...], columns: QueryColumns, options: EvaluationOptions) -> dict[str, Any]:
    """What was asked, as plain JSON types."""
    return {"ks": list(ks), "relevant": columns.relevant, "seen": columns.seen} | options.to_dict()


def _counts(train: Training, items: ReadyBatches, corpus: Corpus) -> np.ndarray:
    if isinstance(train, Rows | tf.data.Dataset) and isinstance(train, Rows) != items.raw:
        raise ValueError(
            "`train` and `items` are both raw rows, or both datasets of model-ready batches: raw ids and vocabulary "
            f"ids differ. Received {type(train).__name__} and {'raw rows' if items.raw else 'a dataset'}."
        )
    return training_counts(train, corpus, corpus.column)
