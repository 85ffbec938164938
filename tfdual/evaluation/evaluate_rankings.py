"""Quality of lists that something else ranked."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual.data import Rows
from tfdual.evaluation.corpus import Corpus, row_count
from tfdual.evaluation.evaluate import DEFAULTS, settings
from tfdual.evaluation.evaluation_options import EvaluationOptions, Training
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.evaluation.item_search import without
from tfdual.evaluation.judgements import Judgements, QueryColumns
from tfdual.evaluation.popularity import training_counts
from tfdual.evaluation.scorecard import Scorecard, cut_offs
from tfdual.index.item_ids import plain_ids
from tfdual.schema import Schema, Tags

BATCH = 4_096


def evaluate_rankings(
    ranked: np.ndarray | Sequence[Sequence[Any]],
    queries: Rows | tf.data.Dataset,
    items: np.ndarray | Sequence[Any],
    relevant: str,
    ks: Iterable[int] = (10, 100),
    seen: str | None = None,
    scores: np.ndarray | None = None,
    train: Training | None = None,
    options: EvaluationOptions = DEFAULTS,
) -> EvaluationReport:
    """What `evaluate` says of a model, said of any ranking: BM25, popularity, another library.

    Args:
        ranked: `(queries, depth)`, item ids, best first; an id of no item takes its place in vain.
        queries: one row a query, in the order of `ranked`.
        items: `(items,)`. All ids of the corpus.
        relevant: str. As for `evaluate`.
        ks: as for `evaluate`. Defaults to `(10, 100)`.
        seen: str. As for `evaluate`; what is ranked of these is taken out. Defaults to `None`.
        scores: `(queries, depth)`, falling; -inf where no item is, as `search` gives them. Shows ties, in which
            relevant items come last; a tie that goes on beyond the list can't be seen, so give lists longer than the
            largest k. Defaults to `None`: no ties.
        train: rows whose schema tags the item's column `ITEM_ID`, or item id -> count, as for `evaluate`. Defaults to
            `None`.
        options: EvaluationOptions, without `candidates`. Defaults to `EvaluationOptions()`.

    Returns:
        `EvaluationReport`.

    Raises:
        ValueError: as for `evaluate`; the numbers of rows differ; a list holds an item twice; scores rise, or
            can't show a tie at the largest k; `candidates` are given.
    """
    if options.candidates is not None:
        raise ValueError("A ranking is restricted to candidates when it is made. Leave `candidates` out.")
    ks = cut_offs(ks)
    ids = _ids(ranked)
    corpus = Corpus(_ids(items), "items")
    if ids.ndim != 2:
        raise ValueError(f"ranked is (queries, depth): lists of one length. Received shape {ids.shape}.")
    if scores is not None:
        _check_scores(scores, ids.shape, min(max(ks) + 1, len(corpus)))
    positions = corpus.positions(ids.reshape(-1), "ranked").reshape(ids.shape)
    places = np.sort(positions, axis=1)
    if ((places[:, 1:] == places[:, :-1]) & (places[:, 1:] >= 0)).any():
        raise ValueError("A list of `ranked` holds an item twice. Rank each item once.")
    columns = QueryColumns(relevant, seen, options.relevance, None, options.slices)
    counts = None if train is None else training_counts(train, corpus, _item_id(train, relevant))
    card = Scorecard(corpus, ks, columns, options, counts)
    for batch in queries.batch(BATCH) if isinstance(queries, Rows) else queries:

        def search(judged: Judgements, rows: np.ndarray, depth: int, first: int = card.asked) -> Any:
            found = positions[first + rows]
            given = -np.arange(found.shape[1], dtype=float) + np.zeros(found.shape)
            return without(judged, rows, given if scores is None else scores[first + rows], found)

        if card.asked + row_count(next(iter(batch.values()))) > len(positions):
            raise ValueError(f"There are more queries than the {len(positions)} lists ranked. Rank one list a query.")
        card.add(batch, search)
    if card.asked < len(positions):
        raise ValueError(f"{len(positions)} lists are ranked for {card.asked} queries. Rank one list a query.")
    return card.report(settings(ks, columns, options))


def _item_id(train: Training, relevant: str) -> str:
    tagged = train.schema.select_by_tag(Tags.ITEM_ID) if isinstance(train, Rows) else Schema()
    return tagged.first.name if len(tagged) == 1 else relevant


def _ids(values: Any) -> np.ndarray:
    try:
        return plain_ids(np.asarray(values))
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(
            "ranked is (queries, depth): lists of one length. Fill up short ones with an id of no item, '' or -1."
        ) from error


def _check_scores(scores: np.ndarray, shape: tuple[int, ...], depth: int) -> None:
    if scores.shape != shape:
        raise ValueError(f"scores are of the shape of `ranked`, {shape}. Received {scores.shape}.")
    if np.isnan(scores).any():
        raise ValueError(f"scores hold NaN, first in list {np.isnan(scores).any(axis=1).argmax()}.")
    if (scores[:, 1:] > scores[:, :-1]).any():
        raise ValueError("scores fall from the first place on. Sort each list by its scores, the best first.")
    if shape[1] < depth:
        raise ValueError(
            f"Lists of {shape[1]} can't show whether a tie goes on beyond. Rank {depth} items, one more than the "
            "largest k, or leave `scores` out."
        )
