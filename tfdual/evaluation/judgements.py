"""Which items are relevant to which query of a batch."""

from dataclasses import dataclass, field, replace

import numpy as np

from tfdual._typing import Tensor
from tfdual.evaluation.corpus import Corpus, padded, row_count, row_values

Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class QueryColumns:
    """The columns of the queries that an evaluation reads, beside the model's.

    Args:
        relevant: str. The relevant item id, or the list of them.
        seen: str. Item ids not to be shown. Defaults to `None`.
        relevance: str. Grades, aligned with `relevant`. Defaults to `None`.
        candidates: str. Item ids that alone are to be shown. Defaults to `None`.
        slices: tuple of str. Defaults to none.
    """

    relevant: str
    seen: str | None = None
    relevance: str | None = None
    candidates: str | None = None
    slices: tuple[str, ...] = ()


def findable(seen: str | None, candidates: str | None) -> str:
    """Where an item is that a query can be shown, for messages; named by the columns that restrict it."""
    places = ["in the corpus"]
    if seen is not None:
        places.append(f"not in '{seen}'")
    if candidates is not None:
        places.append(f"among '{candidates}'")
    return ", ".join(places)


@dataclass(frozen=True)
class Judgements:
    """Relevant pairs of query and item, with their grades.

    Args:
        keys: int64 `(pairs,)`, ascending and unique: `query * items + position`.
        grades: `(pairs,)`, above 0.
        queries: int. Rows of the batch.
        items: int. Size of the corpus.
        outside: int. Relevant ids that are of no item of the corpus. Defaults to 0.
        excluded: pairs that are not to be shown. Defaults to `None`: none.
        candidates: pairs, by row, that alone are to be shown. Defaults to `None`: all.
        seen_outside: seen ids that are of no item of the corpus. Defaults to none.
    """

    keys: np.ndarray
    grades: np.ndarray
    queries: int
    items: int
    outside: int = 0
    excluded: Pairs | None = None
    candidates: Pairs | None = None
    seen_outside: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def pairs(self) -> Pairs:
        """Row of the batch and position of the item."""
        return self.keys // self.items, self.keys % self.items

    @property
    def counts(self) -> np.ndarray:
        """How many items are relevant to each query, `(queries,)`."""
        return np.bincount(self.keys // self.items, minlength=self.queries)

    @property
    def ideal(self) -> np.ndarray:
        """The grades of each query's relevant items, `(queries, most)`, padded with 0."""
        counts = self.counts
        matrix = np.zeros((self.queries, max(1, counts.max(initial=0))))
        matrix[np.arange(matrix.shape[1]) < counts[:, None]] = self.grades
        return matrix

    def gains(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The grade of each item shown: `rows` `(n,)` and `positions` `(n, depth)`, -1 for none, to `(n, depth)`."""
        if not len(self.keys):
            return np.zeros(positions.shape)
        wanted = rows[:, None] * self.items + positions
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        found = (self.keys[places] == wanted) & (positions >= 0)
        return np.where(found, self.grades[places], 0.0)

    def of_items(self, chosen: np.ndarray) -> "Judgements":
        """The pairs whose item is chosen, by a mask `(items,)`."""
        kept = chosen[self.keys % self.items]
        return replace(self, keys=self.keys[kept], grades=self.grades[kept])

    def excluded_positions(self) -> np.ndarray | None:
        """Positions not to be shown, `(queries, most)`, padded with -1; `None` where nothing is excluded."""
        return None if self.excluded is None else padded(*self.excluded, self.queries)


def judge(batch: dict[str, Tensor], corpus: Corpus, columns: QueryColumns) -> Judgements:
    """Read the judgements of a batch. An item that a list repeats counts once, with its highest grade.

    Relevant items that are of no item of the corpus, excluded, or no candidate, don't count: no ranking can show them.

    Raises:
        ValueError: a column is missing; grades are negative, no numbers, or not as many as the ids.
    """
    rows, ids = row_values(batch, columns.relevant)
    grades = _grades(batch, columns, rows)
    positions = corpus.positions(ids, columns.relevant)
    known = (positions >= 0) & (grades > 0)
    outside = int(((positions < 0) & (grades > 0)).sum())
    keys, grades = rows[known] * len(corpus) + positions[known], grades[known]
    order = np.lexsort((-grades, keys))
    keys, first = np.unique(keys[order], return_index=True)
    grades = grades[order][first]
    excluded, seen_outside = (None, ids[:0]) if columns.seen is None else corpus.pairs(batch, columns.seen)
    hidden = np.zeros(0, np.int64) if excluded is None else excluded[0] * len(corpus) + excluded[1]
    kept = ~np.isin(keys, hidden)
    candidates = None
    if columns.candidates is not None:
        (allowed, positions), _ = corpus.pairs(batch, columns.candidates)
        shown = np.setdiff1d(allowed * len(corpus) + positions, hidden)
        kept &= np.isin(keys, shown)
        candidates = shown // len(corpus), shown % len(corpus)
    queries = row_count(batch[columns.relevant])
    return Judgements(keys[kept], grades[kept], queries, len(corpus), outside, excluded, candidates, seen_outside)


def _grades(batch: dict[str, Tensor], columns: QueryColumns, rows: np.ndarray) -> np.ndarray:
    if columns.relevance is None:
        return np.ones(len(rows))
    graded, grades = row_values(batch, columns.relevance)
    if grades.dtype == object:
        raise ValueError(f"The grades in '{columns.relevance}' must be numbers. Received strings.")
    counts = [np.bincount(values, minlength=row_count(batch[columns.relevant])) for values in (graded, rows)]
    if len(different := np.flatnonzero(counts[0] != counts[1])):
        row = int(different[0])
        raise ValueError(
            f"Each id in '{columns.relevant}' needs one grade in '{columns.relevance}'. Row {row} of a batch has "
            f"{counts[1][row]} ids and {counts[0][row]} grades."
        )
    grades = grades.astype(np.float64)
    if len(bad := grades[~(np.isfinite(grades) & (grades >= 0))]):
        raise ValueError(f"Grades are 0 or more. The column '{columns.relevance}' holds {bad[0]}.")
    return grades
