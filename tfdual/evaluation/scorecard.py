"""From ranked lists, a batch of queries at a time, to a report."""

import operator
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tfdual._typing import Tensor
from tfdual.evaluation.corpus import Corpus
from tfdual.evaluation.evaluation_options import EvaluationOptions
from tfdual.evaluation.evaluation_report import EvaluationReport
from tfdual.evaluation.fingerprint import Fingerprint
from tfdual.evaluation.judgements import Judgements, QueryColumns, findable, judge
from tfdual.evaluation.popularity import item_slices
from tfdual.evaluation.query_slices import check_labels, labels_of
from tfdual.evaluation.strangers import Strangers
from tfdual.metrics import (
    average_popularity,
    bootstrap_interval,
    break_ties,
    coverage,
    novelty,
    popularity_bias,
    ranking_metrics,
)

Search: TypeAlias = Callable[[Judgements, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""From the judgements and some rows of a batch, and a depth, to scores and positions `(rows, up to depth)`."""

Part: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows of a batch, and the scores and positions of what they are shown."""


class Scorecard:
    """Gathers a value a query and metric, and how often each item is shown.

    Args:
        corpus: Corpus.
        ks: cut-offs, as `cut_offs` gives them.
        columns: QueryColumns.
        options: EvaluationOptions.
        counts: int `(items,)`. Training counts of the items. Defaults to `None`: unknown.
    """

    def __init__(
        self,
        corpus: Corpus,
        ks: tuple[int, ...],
        columns: QueryColumns,
        options: EvaluationOptions,
        counts: np.ndarray | None = None,
    ) -> None:
        self.corpus = corpus
        self._ks = ks
        self._columns = columns
        self._options = options
        self._counts = counts
        self._masks = {} if counts is None else item_slices(counts)
        self._values: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in ("", *self._masks)}
        self._exposures = {k: np.zeros(len(corpus), np.int64) for k in ks}
        self._labels: dict[str, list[np.ndarray]] = {name: [] for name in columns.slices}
        self._rows: list[np.ndarray] = []
        self._fingerprint = Fingerprint()
        self.asked = 0
        self._outside = 0
        self._strangers = Strangers(corpus, columns.seen)

    def add(self, batch: dict[str, Tensor], search: Search) -> None:
        """Judge a batch, search for those queries that have a relevant item, and score what is found."""
        judged = judge(batch, self.corpus, self._columns)
        labels = {name: labels_of(batch, name) for name in self._columns.slices}
        rows = np.flatnonzero(judged.counts)
        parts = list(_ranked(search, judged, rows, max(self._ks)))
        for name, values in self._values.items():
            chosen = judged.of_items(self._masks[name]) if name else judged
            values.append(self._measure(chosen, parts))
        self._expose(judged, parts, rows)
        for name, column in labels.items():
            self._labels[name].append(column[rows])
            check_labels(name, np.unique(np.concatenate(self._labels[name])))
        order, ids = self.corpus.by_id(*judged.pairs)
        self._fingerprint.update(self.asked + judged.pairs[0][order], ids, judged.grades[order])
        self._rows.append(self.asked + rows)
        self.asked += judged.queries
        self._outside += judged.outside
        self._strangers.add(judged)

    def report(self, settings: dict[str, Any]) -> EvaluationReport:
        """What was found.

        Raises:
            ValueError: no query has a relevant item.
        """
        rows = np.concatenate([np.zeros(0, np.int64), *self._rows])
        if not len(rows):
            asked = self._columns
            others = [name for name in (self.corpus.column, asked.seen, asked.candidates) if name is not None]
            raise ValueError(
                f"None of {self.asked} queries has a relevant item {findable(asked.seen, asked.candidates)}. "
                f"Compare '{asked.relevant}' with {' and '.join(map(repr, others))}."
            )
        if said := self._strangers.warning():
            warnings.warn(said, stacklevel=3)
        per_query = _joined(self._values[""])
        slices = {name: _joined(self._values[name]) for name in self._masks}
        for column, parts in self._labels.items():
            labels, codes = np.unique(np.concatenate(parts), return_inverse=True)  # NaN is one label
            for code, label in enumerate(labels):
                slices[f"{column}={label}"] = {name: values[codes == code] for name, values in per_query.items()}
        shown = {name: per_query.pop(name) for name in [*per_query] if name.startswith("popularity")}
        whole = {f"coverage@{k}": coverage(exposures) for k, exposures in self._exposures.items()}
        if self._counts is not None:
            whole |= {
                f"popularity_bias@{k}": popularity_bias(shown[f"popularity@{k}"], shown["popularity"]) for k in self._ks
            }
        return EvaluationReport(
            *self._summary(per_query, whole),
            per_query=per_query,
            slices={
                name: EvaluationReport(*self._summary(values))
                for name, values in slices.items()
                if len(values[f"recall@{self._ks[0]}"])
            },
            rows=rows,
            totals={
                "items": len(self.corpus),
                "queries_without_relevant": self.asked - len(rows),
                "relevant_outside_corpus": self._outside,
            }
            | ({"seen_outside_corpus": self._strangers.count} if self._strangers.count else {}),
            settings=settings,
            fingerprint=self._fingerprint.hexdigest(),
        )

    def _measure(self, judged: Judgements, parts: list[Part]) -> dict[str, np.ndarray]:
        gains = np.zeros((judged.queries, max(self._ks)))
        for rows, scores, positions in parts:
            best = break_ties(judged.gains(rows, positions), scores)[:, : gains.shape[1]]
            gains[rows, : best.shape[1]] = best
        scored = judged.counts > 0
        return ranking_metrics(gains[scored], judged.ideal[scored], self._ks)

    def _expose(self, judged: Judgements, parts: list[Part], rows: np.ndarray) -> None:
        """Count what is shown, and with training counts, add novelty and popularity to the values of the queries."""
        shown = np.full((judged.queries, max(self._ks)), -1)
        for part, _, positions in parts:
            positions = positions[:, : shown.shape[1]]
            shown[part, : positions.shape[1]] = positions
        shown = shown[rows]
        for k, exposures in self._exposures.items():
            exposures += np.bincount(shown[:, :k][shown[:, :k] >= 0], minlength=len(self.corpus))
        if self._counts is not None:
            values = self._values[""][-1]
            pairs = judged.pairs
            sums = np.bincount(pairs[0], self._counts[pairs[1]], judged.queries)[rows]
            values["popularity"] = sums / judged.counts[rows]
            for k in self._ks:
                values[f"novelty@{k}"] = novelty(shown[:, :k], self._counts)
                values[f"popularity@{k}"] = average_popularity(shown[:, :k], self._counts)

    def _summary(
        self, per_query: dict[str, np.ndarray], whole: dict[str, float] | None = None
    ) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        """Means and intervals."""
        per_query = {name: values for name, values in per_query.items() if not name.startswith("popularity")}
        matrix = np.stack([*per_query.values()], axis=1)
        means = dict(zip(per_query, matrix.mean(axis=0).tolist(), strict=True))
        intervals: dict[str, tuple[float, float]] = {}
        if self._options.bootstrap:
            bounds = bootstrap_interval(matrix, samples=self._options.bootstrap, seed=self._options.seed)
            intervals = {name: (float(bounds[0, i]), float(bounds[1, i])) for i, name in enumerate(per_query)}
        return means | (whole or {}) | {"queries": len(matrix)}, intervals


def _ranked(search: Search, judged: Judgements, rows: np.ndarray, k: int) -> Iterator[Part]:
    """Rows of the batch with their scores and positions, deep enough to break ties at the cut.

    Relevant items come last among equal scores. Whether one still comes within `k`, where equal scores go on beyond,
    depends on how many are not relevant; with `k` plus the query's relevant items found, that is known.
    """
    if not len(rows):
        return
    scores, positions = search(judged, rows, k + 1)
    cut = np.zeros(len(rows), bool)
    if scores.shape[1] > k:
        cut = (scores[:, k - 1] == scores[:, k]) & (positions[:, k] >= 0) & (judged.counts[rows] > 1)
    yield rows[~cut], scores[~cut], positions[~cut]
    if cut.any():
        yield rows[cut], *search(judged, rows[cut], k + int(judged.counts[rows[cut]].max()))


def cut_offs(ks: Iterable[int]) -> tuple[int, ...]:
    """Ascending and different.

    Raises:
        ValueError: no cut-off, or one below 1.
        TypeError: no list of cut-offs, or one that is no integer.
    """
    if not isinstance(ks, Iterable):
        raise TypeError(f"evaluate() takes several cut-offs, such as ks=(10, 100). Received ks={ks!r}.")
    given = tuple(operator.index(k) for k in ks)
    if not given or min(given) < 1:
        raise ValueError(f"evaluate() needs cut-offs of at least 1. Received ks={given}.")
    return tuple(sorted(set(given)))


def check_numbers(values: np.ndarray, asked: int) -> None:
    """Refuse NaN and infinity in the embeddings, or in the best scores, of a batch of queries; `asked` come before it.

    Raises:
        ValueError: with the number of such queries.
    """
    if bad := int((~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum()):
        raise ValueError(
            f"The embeddings of {bad} of the first {asked + len(values)} queries hold NaN or infinity. "
            "Train with a lower learning rate."
        )


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
