"""Before and after a tailoring, on labelled queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual._text_table import text_table
from tfdual.index.item_ids import id_array, shown
from tfdual.metrics import PairedTest, ndcg, paired_test, recall
from tfdual.serving import Retriever
from tfdual.serving.served_graph import DEFAULT_TOWER
from tfdual.tailoring.relevant_ids import relevant_ids

BATCH = 256


@dataclass(frozen=True)
class TailoringReport:
    """What a tailoring gained, and what it asks for; as a string, a table. Made by `tailoring_report`.

    Args:
        quality: metric -> `PairedTest`, whose first is after and second before.
        queries: int. Labelled queries.
        items: int. Items in the index.
        embedded_again: int. Items whose vectors are others than before: 0 where the index is of the same space.
        deployed: what is new in the artefact: a query tower, a re-ranker.
    """

    quality: dict[str, PairedTest]
    queries: int
    items: int
    embedded_again: int
    deployed: tuple[str, ...]

    def __str__(self) -> str:
        rows = [["", "before", "after", "difference", "95 % interval", "p"]]
        for name, test in self.quality.items():
            after, before, *others = test.cells()
            rows.append([name, before, after, *others])
        return "\n".join(
            [
                f"{self.queries:,} labelled queries",
                text_table(rows),
                f"to embed again: {self.embedded_again:,} of {self.items:,} items",
                f"to deploy: {', '.join(self.deployed) or 'nothing'}",
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        quality = {name: test.to_dict() for name, test in self.quality.items()}
        return vars(self) | {"quality": quality, "deployed": list(self.deployed)}


def tailoring_report(
    before: Retriever,
    after: Retriever,
    queries: Mapping[str, Any],
    relevant: Sequence[Mapping[Any, float] | Sequence[Any]],
    ks: Sequence[int] = (10, 100),
    towers: tuple[str, str] = (DEFAULT_TOWER, DEFAULT_TOWER),
) -> TailoringReport:
    """Ask both the same labelled queries: NDCG and recall, the intervals of their differences, and what changed.

    Args:
        before: Retriever.
        after: Retriever, with another query tower or re-ranker; it may be the same one, asked by another tower.
        queries: raw values, column name -> one entry a query; each tower takes its own columns.
        relevant: for each query the ids that are relevant, at least one; of a mapping of id -> grade, as
            `reranking_lists` takes it, those above 0.
        ks: lengths of lists. Defaults to `(10, 100)`.
        towers: names of the query towers before and after. Defaults to the default tower of both.

    Raises:
        ValueError: no k, or one below 1; not a list of relevant ids for each query, or an empty one; a relevant id that
            one of both doesn't hold; an unknown tower, and what `Retriever.search` refuses.
        TypeError: integers where the ids of items are strings, or the other way round.
    """
    if not ks or min(ks) < 1:
        raise ValueError(f"A report needs lengths of lists, 1 or more. Received {list(ks)}.")
    right = [relevant_ids(judged) for judged in relevant]
    if not right or not all(right):
        raise ValueError("A report needs relevant ids for every query. Leave out queries without any.")
    wanted = [frozenset(id_array(ids, before.description["id_dtype"]).tolist()) for ids in right]
    for retriever in (before, after):
        _require_items(retriever, wanted)
    counts = np.array([len(ids) for ids in wanted])
    gains = [
        _gains(retriever, queries, wanted, max(ks), tower)
        for retriever, tower in zip((before, after), towers, strict=True)
    ]
    quality = {
        f"{name}@{k}": paired_test(metric(gains[1], counts, k), metric(gains[0], counts, k))
        for name, metric in {"ndcg": ndcg, "recall": recall}.items()
        for k in ks
    }
    old, new = before.description, after.description
    items = int(new["index"]["items"])
    embedded_again = 0 if old["embedding_space"] == new["embedding_space"] else items
    deployed = [f"query tower '{towers[1]}'"] if towers[0] != towers[1] else []
    deployed += ["re-ranker"] if new["reranker"] != old["reranker"] else []
    return TailoringReport(quality, len(wanted), items, embedded_again, tuple(deployed))


def _require_items(retriever: Retriever, wanted: Sequence[frozenset]) -> None:
    """Refuse relevant ids of no item."""
    if missing := frozenset[Any]().union(*wanted).difference(retriever.item_ids().tolist()):
        row = next(row for row, ids in enumerate(wanted) if ids & missing)
        unknown = [shown(item) for item in sorted(wanted[row] & missing)]
        raise ValueError(f"Query {row} needs relevant ids, of items. Unknown are {unknown} of {len(wanted[row])}.")


def _gains(
    retriever: Retriever, queries: Mapping[str, Any], wanted: Sequence[frozenset], k: int, tower: str
) -> np.ndarray:
    """1 where the item at a rank is relevant, `(queries, k)`."""
    if tower not in retriever.query_schemas:
        raise ValueError(f"There is no query tower {tower!r}. There are {sorted(retriever.query_schemas)}.")
    own = [name for name in retriever.query_schemas[tower].column_names if name in queries]
    if uneven := {name: len(queries[name]) for name in own if len(queries[name]) != len(wanted)}:
        raise ValueError(f"Each query needs relevant ids: there are {len(wanted)} lists of them for {uneven} queries.")
    found = []
    for start in range(0, len(wanted), BATCH):
        columns = {name: queries[name][start : start + BATCH] for name in own}
        ids = retriever.search(columns, k, tower=tower)["id"]
        encoded = np.char.encode(ids, "utf-8") if ids.dtype.kind == "U" else ids
        rows = zip(encoded.tolist(), wanted[start : start + BATCH], strict=True)
        found += [[item in right for item in row] + [False] * (k - len(row)) for row, right in rows]
    return np.array(found, np.float64)
