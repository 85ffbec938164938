"""Quality of a served model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.evaluation.corpus import Corpus
from tfdual.evaluation.evaluate import DEFAULTS, settings
from tfdual.evaluation.evaluation_options import EvaluationOptions, Training
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.evaluation.item_search import query_block
from tfdual.evaluation.judgements import Judgements, QueryColumns
from tfdual.evaluation.popularity import training_counts
from tfdual.evaluation.scorecard import Scorecard, check_numbers, cut_offs
from tfdual.index.item_ids import PADDING
from tfdual.serving import Retriever

BATCH = 4_096


def evaluate_retriever(
    retriever: Retriever,
    queries: Rows,
    ks: Iterable[int] = (10, 100),
    relevant: str | None = None,
    seen: str | None = None,
    train: Training | None = None,
    options: EvaluationOptions = DEFAULTS,
) -> EvaluationReport:
    """What `evaluate` says of a model, said of what is served: its preprocessing, query tower and index.

    Seen items are excluded as a request excludes them.

    Args:
        retriever: Retriever.
        queries: raw rows, with the retriever's query columns and those named here.
        ks: as for `evaluate`. Defaults to `(10, 100)`.
        relevant: str. As for `evaluate`. Defaults to `None`: the item id column that the model was trained with.
        seen: str. As for `evaluate`. Defaults to `None`.
        train: raw rows, or item id -> count, as for `evaluate`. Defaults to `None`.
        options: EvaluationOptions, without `candidates`. Defaults to `EvaluationOptions()`.

    Returns:
        `EvaluationReport`.

    Raises:
        ValueError: as for `evaluate`; or `candidates`, which a served model can't be restricted to.
    """
    if options.candidates is not None:
        raise ValueError(
            "A served model ranks its whole corpus and can't be restricted to candidates. "
            "Use `evaluate` with the model, or leave `candidates` out."
        )
    ks = cut_offs(ks)
    description = retriever.description
    columns = QueryColumns(relevant or description["item_id"], seen, options.relevance, None, options.slices)
    known = retriever.item_ids()
    nothing = PADDING[description["id_dtype"]]
    corpus = Corpus(known, description["item_id"])
    counts = None if train is None else training_counts(train, corpus, corpus.column)
    card = Scorecard(corpus, ks, columns, options, counts)
    for batch in queries.batch(BATCH):

        def search(judged: Judgements, rows: np.ndarray, depth: int, batch: dict[str, Tensor] = batch) -> Any:
            features = {name: batch[name] for name in retriever.query_schema.column_names if name in batch}
            hidden = judged.excluded_positions()
            exclude = None if hidden is None else np.append(known, nothing)[hidden]
            scores, ids = _search(retriever, features, rows, depth, exclude)
            check_numbers(np.where(scores == -np.inf, 0, scores), card.asked)  # places behind the last item
            return scores, corpus.positions(ids.reshape(-1), "id").reshape(ids.shape)

        card.add(batch, search)
    return card.report(settings(ks, columns, options) | {"index": description["index"]})


def _search(
    retriever: Retriever, features: dict[str, Tensor], rows: np.ndarray, depth: int, exclude: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    found = []
    size = query_block(retriever.description["index"]["items"])
    for start in range(0, len(rows), size):
        here = rows[start : start + size]
        block = {name: tf.gather(values, here) for name, values in features.items()}
        hidden = None if exclude is None else tf.constant(exclude[here], retriever.description["id_dtype"])
        answer = retriever.search(block, depth, exclude=hidden)
        found.append((answer["score"], answer["id"]))
    scores, ids = (np.concatenate([part[i] for part in found]) for i in (0, 1))
    return scores, np.char.encode(ids, "utf-8").astype(object) if ids.dtype.kind == "U" else ids
