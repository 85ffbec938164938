"""What a model must show before it is published."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

import numpy as np

from tfdual.index import Index
from tfdual.index.recall import measured_recall
from tfdual.schema import Schema
from tfdual.serving.raw_input import plainest_query
from tfdual.serving.search_options import DEFAULT_K

TIMED = 50
TOLERANCE = 1e-4


class CanaryError(ValueError):
    """A model that doesn't answer as it should. It was not published."""


@dataclass(frozen=True)
class Canary:
    """Queries that the saved model answers before it gets its version number, and what is asked of the answers.

    Args:
        queries: raw values, column name -> list with one entry a query, as for `Retriever.search`.
        k: int. Items a query. Defaults to 10.
        min_recall: float between 0 and 1. The least share of the exact best `k` that the index must find. Defaults to
            0: measured and kept, whatever it is.
        max_latency_ms: float. The longest that the median query may take, one at a time, in milliseconds, on the
            machine that exports. Defaults to `None`: measured and kept, however long it is.

    Raises:
        ValueError: no query, a recall outside 0 and 1, or a latency that isn't positive.
    """

    queries: Mapping[str, Any]
    k: int = DEFAULT_K
    min_recall: float = 0.0
    max_latency_ms: float | None = None

    def __post_init__(self) -> None:
        if not self.queries or not min(len(values) for values in self.queries.values()):
            raise ValueError(f"A canary needs at least one query. Received {dict(self.queries)!r}.")
        if not 0 <= self.min_recall <= 1:
            raise ValueError(f"min_recall is a share between 0 and 1. Received {self.min_recall}.")
        if self.max_latency_ms is not None and self.max_latency_ms <= 0:
            raise ValueError(f"max_latency_ms is positive. Received {self.max_latency_ms}.")


class Searcher(Protocol):
    """What is tried: a retriever."""

    @property
    def query_schema(self) -> Schema:
        """The raw columns of a query."""

    def search(self, queries: Mapping[str, Any], k: int) -> dict[str, np.ndarray]:
        """The best items of raw queries."""

    def embed_query(self, queries: Mapping[str, Any]) -> np.ndarray:
        """The embeddings of raw queries."""


def shown(saved: Searcher, python: Searcher, index: Index, canary: Canary | None) -> dict[str, Any]:
    """What a saved model showed, as plain JSON types; nothing but the same answers where no canary asks for more.

    Args:
        saved: the retriever that was loaded from disk.
        python: the one that was exported.
        index: Index. Its own.
        canary: Canary. Defaults to one query of missing or empty values.

    Raises:
        CanaryError: it answers otherwise, or is below what the canary asks.
    """
    asked = canary or Canary(plainest_query(python.query_schema))
    require_same_answers(saved.search(asked.queries, asked.k), python.search(asked.queries, asked.k))
    if canary is None:
        return {}
    recall = recall_of(index, python.embed_query(canary.queries), canary)
    latency = round(median_latency_ms(saved.search, canary), 3)
    count = len(next(iter(canary.queries.values())))
    return {"queries": count, **recall, "median_latency_ms": latency}


def require_same_answers(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Raise unless both hold the same items; those whose scores tie may change places.

    Raises:
        CanaryError: another score, or another item.
    """
    if found["score"].shape != expected["score"].shape:
        raise CanaryError(
            f"The saved model found {found['score'].shape} items, Python {expected['score'].shape}. "
            "Nothing was published."
        )
    scale = TOLERANCE * (1 + np.abs(np.where(np.isfinite(expected["score"]), expected["score"], 0)).max(initial=0))
    differ = ~np.isclose(found["score"], expected["score"], rtol=0, atol=scale, equal_nan=True)
    for row, column in np.argwhere(differ | (found["id"] != expected["id"])):
        tied = np.abs(expected["score"][row] - expected["score"][row, column]) <= scale
        last = expected["score"][row, -1] >= expected["score"][row, column] - scale
        if differ[row, column] or not (last or found["id"][row, column] in expected["id"][row][tied]):
            mine, theirs = ((part["id"][row, column], part["score"][row, column]) for part in (found, expected))
            raise CanaryError(
                f"The saved model answers canary query {row} with {mine} in place {column}, Python with {theirs}. "
                "Nothing was published."
            )


def recall_of(index: Index, queries: np.ndarray, canary: Canary) -> dict[str, float]:
    """What of the exact best the index finds, by its name; nothing where it keeps no embeddings to know them by.

    Raises:
        CanaryError: it finds too little, or a recall is asked for that can't be measured.
    """
    if not getattr(index, "keep_embeddings", True):
        if canary.min_recall:
            raise CanaryError(
                "The index was made with keep_embeddings=False, so that its recall can't be measured. Nothing was "
                "published. Leave min_recall out, and measure the recall before the export."
            )
        return {}
    recall = measured_recall(index, queries, canary.k)
    if recall < canary.min_recall:
        raise CanaryError(
            f"The index finds {recall:.3f} of the exact best {canary.k} of the canary queries, below "
            f"min_recall={canary.min_recall}. Nothing was published. Build it with a higher target recall."
        )
    return {f"recall@{canary.k}": recall}


def median_latency_ms(search: Any, canary: Canary) -> float:
    """The median time of queries one at a time, in milliseconds, after the first of them.

    Raises:
        CanaryError: it is too long.
    """
    count = len(next(iter(canary.queries.values())))
    times = []
    for number in range(TIMED + 1):
        row = number % count
        query = {name: values[row : row + 1] for name, values in canary.queries.items()}
        start = time.perf_counter()
        search(query, canary.k)
        times.append(1_000 * (time.perf_counter() - start))
    latency = median(times[1:])
    if canary.max_latency_ms is not None and latency > canary.max_latency_ms:
        raise CanaryError(
            f"The median canary query takes {latency:.1f} ms, above max_latency_ms={canary.max_latency_ms}. "
            "Nothing was published."
        )
    return latency
