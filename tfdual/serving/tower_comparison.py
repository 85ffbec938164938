"""Two query towers over one index, asked the same queries."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._text_table import text_table
from tfdual.index.item_ids import id_array, shown
from tfdual.metrics import PairedTest, ndcg, paired_test, recall
from tfdual.serving.retriever import Retriever
from tfdual.serving.search_options import DEFAULT_K
from tfdual.serving.served_graph import DEFAULT_TOWER

BATCH = 256


@dataclass(frozen=True)
class TowerComparison:
    """How far two query towers agree, and which finds more; as a string, a table. Made by `compare_query_towers`.

    Args:
        towers: the names of the two.
        k: int. Items a query.
        queries: int. How many were asked.
        overlap: float. Mean share of a query's items that both lists hold.
        same_first: float. Share of queries whose first item is the same.
        rank_correlation: float. Mean over queries of Kendall's tau-b between the scores of the items that both lists
            hold: 1 for the same order, -1 for the reverse. NaN where no query has one.
        correlated: int. Queries that have one: two such items at least, which neither tower scores all alike.
        judged: int. Queries with a relevant item. Defaults to 0.
        quality: mapping of `"recall@10"` and `"ndcg@10"` -> PairedTest, the first tower first. Defaults to none.

    Example:
        >>> quality = {"recall@10": PairedTest(0.25, 0.2, 0.05, (0.01, 0.09), 0.012)}
        >>> print(TowerComparison(("default", "b"), 10, 600, 0.7, 0.5, 0.62, 590, 400, quality))
        600 queries, 10 items each
        overlap@10        0.7000
        same first item   0.5000
        rank correlation  0.6200  of 590 queries
        400 queries with relevant items
                   default       b  difference       95 % interval       p
        recall@10   0.2500  0.2000     +0.0500  [+0.0100, +0.0900]  0.0120

    Reference: Kendall, 1945, "The treatment of ties in ranking problems"
    """

    towers: tuple[str, str]
    k: int
    queries: int
    overlap: float
    same_first: float
    rank_correlation: float
    correlated: int
    judged: int = 0
    quality: Mapping[str, PairedTest] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.queries:,} queries, {self.k:,} items each",
            f"{f'overlap@{self.k}':16}  {self.overlap:.4f}",
            f"{'same first item':16}  {self.same_first:.4f}",
            f"{'rank correlation':16}  {self.rank_correlation:.4f}  of {self.correlated:,} queries",
        ]
        if self.quality:
            rows = [["", *self.towers, "difference", "95 % interval", "p"]]
            rows += [[name, *test.cells()] for name, test in self.quality.items()]
            lines += [f"{self.judged:,} queries with relevant items", text_table(rows)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types; a NaN is None."""
        quality = {name: test.to_dict() for name, test in self.quality.items()}
        correlation = None if math.isnan(self.rank_correlation) else self.rank_correlation
        return vars(self) | {"towers": list(self.towers), "rank_correlation": correlation, "quality": quality}


def compare_query_towers(
    retriever: Retriever,
    queries: Mapping[str, Any],
    towers: Sequence[str] = (DEFAULT_TOWER, "b"),
    k: int = DEFAULT_K,
    relevant: Sequence[Sequence[Any]] | None = None,
    batch: int = BATCH,
) -> TowerComparison:
    """Ask two query towers of one retriever the same queries.

    Lists are measured as they are served: of equal scores, in the order of the index. Where the index holds fewer than
    `k` items, shares are of all of them.

    Args:
        retriever: Retriever with both towers, as `with_query_tower` makes it, or loaded.
        queries: raw values, column name -> one entry a query: the columns of both towers; each takes its own.
        towers: two names. Defaults to `("default", "b")`.
        k: int. Items a query. Defaults to 10.
        relevant: a list of relevant item ids for each query: recall and NDCG of each tower, and the paired
            randomisation test of their difference. A query without any is not scored; an id of no item is never found,
            and lowers the recall of both. Defaults to `None`: agreement alone.
        batch: int. Queries a search. Defaults to 256.

    Raises:
        ValueError: not two towers of the retriever; no query; columns that lack, that neither tower takes, or that
            differ in length; k or batch below 1; `relevant` of another length, of ids of another type, or all empty.
    """
    first, second = _two(towers, retriever)
    for name, value in {"k": k, "batch": batch}.items():
        if isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is at least 1. Received {value}.")
    count = _count(queries)
    columns = {tower: _columns_of(retriever, tower, queries) for tower in (first, second)}
    if unknown := sorted(set(queries) - {name for own in columns.values() for name in own}):
        raise ValueError(f"The query columns {unknown} are of neither tower, {first!r} or {second!r}. Leave them out.")
    wanted = [] if relevant is None else _relevant(relevant, count, retriever.description["id_dtype"])
    agreement, quality = _Agreement(), _Quality(k)
    for start in range(0, count, batch):
        lists = [_lists(retriever, tower, columns[tower], slice(start, start + batch), k) for tower in (first, second)]
        for row, pair in enumerate(zip(*lists, strict=True), start):
            agreement.add(*pair)
            if wanted and wanted[row]:
                quality.add([ids for ids, _ in pair], wanted[row])
    return TowerComparison((first, second), k, count, *agreement.means(), len(quality.counts), quality.tests())


class _Agreement:
    """Gathers what two lists of a query have in common."""

    def __init__(self) -> None:
        self._overlaps: list[float] = []
        self._same: list[bool] = []
        self._correlations: list[float] = []

    def add(self, first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> None:
        common, of_first, of_second = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
        self._overlaps.append(len(common) / max(1, len(first[0]), len(second[0])))
        self._same.append(bool(np.array_equal(first[0][:1], second[0][:1])))
        self._correlations.append(_tau_b(first[1][of_first], second[1][of_second]))

    def means(self) -> tuple[float, float, float, int]:
        """Overlap, same first item, rank correlation, and queries that have one."""
        known = [value for value in self._correlations if not math.isnan(value)]
        return _mean(self._overlaps), _mean(self._same), _mean(known), len(known)


class _Quality:
    """Gathers recall and NDCG of two towers, a value a judged query."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._gains: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self.counts: list[int] = []

    def add(self, lists: Sequence[np.ndarray], wanted: frozenset[Any]) -> None:
        self.counts.append(len(wanted))
        for gains, ids in zip(self._gains, lists, strict=True):
            found = [item in wanted for item in ids.tolist()]
            gains.append(np.array(found + [False] * (self._k - len(found))))

    def tests(self) -> dict[str, PairedTest]:
        """A test by metric; none where no query is judged."""
        if not self.counts:
            return {}
        counts = np.array(self.counts)
        first, second = (np.stack(gains) for gains in self._gains)
        metrics = {"recall": recall, "ndcg": ndcg}
        return {
            f"{name}@{self._k}": paired_test(metric(first, counts, self._k), metric(second, counts, self._k))
            for name, metric in metrics.items()
        }


def _tau_b(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau-b: pairs in the same order minus pairs in the other, over the root of the untied pairs of each."""
    signs = [np.sign(scores[:, None] - scores[None]) for scores in (first, second)]
    untied = [float(np.square(sign).sum()) for sign in signs]
    return float((signs[0] * signs[1]).sum()) / math.sqrt(untied[0] * untied[1]) if all(untied) else math.nan


def _lists(
    retriever: Retriever, tower: str, columns: Mapping[str, Any], rows: slice, k: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and scores of each query, without the places that nothing is left for."""
    found = retriever.search({name: values[rows] for name, values in columns.items()}, k, tower=tower)
    if np.isnan(found["score"]).any():
        raise ValueError(f"The query tower {tower!r} scores items with NaN. Train with a lower learning rate.")
    for ids, scores in zip(found["id"], found["score"], strict=True):
        there = ~np.isneginf(scores)
        yield ids[there], scores[there]


def _two(towers: Sequence[str], retriever: Retriever) -> tuple[str, str]:
    known = sorted(retriever.query_schemas)
    names = [towers] if isinstance(towers, str) else list(towers)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"There is no query tower {unknown[0]!r}. There are {known}.")
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"Two different query towers are compared, of {known}. Received {names}.")
    return names[0], names[1]


def _count(queries: Mapping[str, Any]) -> int:
    """How many queries there are."""
    sizes = {name: _rows(values) for name, values in queries.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All query columns must hold the same number of queries. Received {sizes}.")
    if not any(sizes.values()):
        raise ValueError("A comparison needs at least one query. Received none.")
    return next(iter(sizes.values()))


def _rows(values: Any) -> int:
    return int(values.nrows()) if isinstance(values, tf.RaggedTensor) else len(values)


def _columns_of(retriever: Retriever, tower: str, queries: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a tower takes."""
    schema = retriever.query_schemas[tower]
    lacking = [column.name for column in schema if column.name not in queries and not column.nullable]
    own = {name: queries[name] for name in schema.column_names if name in queries}
    if lacking or not own:
        raise ValueError(f"The query tower {tower!r} lacks the columns {lacking or schema.column_names}.")
    return own


def _relevant(relevant: Sequence[Sequence[Any]], count: int, id_kind: str) -> list[frozenset[Any]]:
    if len(relevant) != count:
        raise ValueError(f"Each query needs a list of relevant ids. Received {len(relevant)} lists, {count} queries.")
    wanted = []
    for row, ids in enumerate(relevant):
        try:
            if isinstance(ids, str | bytes):
                raise TypeError(f"a single one, {ids!r}")
            wanted.append(frozenset(map(shown, id_array(list(ids), id_kind))))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`relevant` takes a list of {id_kind} ids for each query. That of query {row}: {error}"
            ) from error
    if not any(wanted):
        raise ValueError("No query has a relevant item. Leave `relevant` out, or check its column.")
    return wanted


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
