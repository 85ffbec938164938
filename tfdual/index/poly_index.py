"""Search by queries of several codes, which each item attends over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.embedding_blocks import ROWS_AT_ONCE, EmbeddingBlocks
from tfdual.index.fresh_items import FreshItems
from tfdual.index.index import Index
from tfdual.index.kept_rows import row_blocks
from tfdual.index.poly_scan import PolyScan, list_scores
from tfdual.index.recall import scanned_positions
from tfdual.index.search_arguments import checked_ids
from tfdual.interactions import PolyAttention

FIRST = "first"


class PolyIndex(Index):
    """The index of a `PolyEncoder`: items are vectors, and a query several codes.

    Without a first stage, the score of each item is computed, exactly, in blocks. With one, the mean of a query's codes
    finds candidates there, and the scores of these are computed. Either runs in the served graph.

    Args:
        first: Index, not built, of the first stage, such as `ScaNN()`; it gets the same vectors. Defaults to `None`:
            every item is scored.
        candidates: int. How many the first stage finds for a query; k where that is more. Defaults to 1000.
        scale: float. Of the attention, as the model's. Defaults to 1.

    Raises:
        ValueError: a first stage that is built, or takes queries of several vectors; candidates below 1; a scale that
            is not above 0.

    Example:
        >>> index = PolyIndex().build(np.eye(3), ids=["tea", "milk", "salt"])
        >>> found = index.search(tf.constant([[[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]]), k=2)
        >>> found.ids.numpy().tolist(), found.scores.numpy().astype(float).round(2).tolist()
        ([[b'milk', b'tea']], [[1.76, 0.73]])

    Reference: Humeau et al., 2020, "Poly-encoders", arXiv:1905.01969
    """

    def __init__(self, first: Index | None = None, candidates: int = 1000, scale: float = 1.0) -> None:
        super().__init__()
        if first is not None and (first.size or first.interaction.rank != 2):
            wanted = "A first stage is an index of vectors that is not built yet, such as ScaNN(): it gets the items."
            raise ValueError(f"{wanted} Received a {type(first).__name__} of {first.size} items.")
        if candidates < 1:
            raise ValueError(f"The first stage finds at least 1 candidate. Received candidates={candidates}.")
        self.first = first
        self.candidates = candidates
        self.scale = scale
        self.interaction: PolyAttention = PolyAttention(scale)

    def score_lists(self, queries: Tensor, ids: Any) -> Tensor:
        """The scores of lists of items, from the vectors that the index holds; no item is encoded.

        Args:
            queries: `(batch, codes, dim)`.
            ids: `(batch, n)`, padded with -1 or `""`, or ragged.

        Returns:
            float32 `(batch, n)`; -inf where the index holds no such item.

        Raises:
            ValueError: the index is not built; queries of another width; not as many lists as queries.
            TypeError: ids of another type.
        """
        live = self.items
        queries = tf.convert_to_tensor(queries, tf.float32)
        positions = live.positions(checked_ids(ids, live.kind))
        if not queries.shape.is_compatible_with([positions.shape[0], None, self.dim]):
            raise ValueError(
                f"The index scores queries of shape (batch, codes, {self.dim}), and a list of ids for each. Received "
                f"the shapes {tuple(queries.shape)} and {tuple(positions.shape)}."
            )
        built, fresh = live.places(positions)
        scores = list_scores(self.interaction, self._scan.vectors, queries, built)
        return tf.cond(
            live.fresh.count > 0,
            lambda: tf.maximum(scores, list_scores(self.interaction, live.fresh.variables[0], queries, fresh)),
            lambda: scores,
        )

    def pair_scores(self, queries: Tensor, items: Tensor) -> Tensor:
        """Scores of each query with its item, `(batch, codes, dim)`, `(batch, dim)` -> `(batch,)`."""
        return self.interaction.each(queries, items[:, None])[:, 0]

    def exact_positions(self, queries: Any, k: int) -> np.ndarray:
        """Positions of the best `k` items of each query by the scores of all, `(queries, k)`."""
        return scanned_positions(self.items, self._scanned, queries, k)

    @property
    def is_exact(self) -> bool:
        """Whether it always finds the best items: without a first stage."""
        return self.first is None

    def _build(self, blocks: EmbeddingBlocks) -> None:
        rows = blocks.matrix()
        self._scan = PolyScan(rows, self.interaction)
        if self.first is not None:
            self.first.build(rows)

    def _fresh(self) -> FreshItems:
        return FreshItems((self.dim,), self.interaction.among)

    def _scanned(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        return self._scan.best_of_all(queries, k, allowed)

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        if self.first is None:
            return self._scanned(queries, k, allowed, count)
        wanted = tf.minimum(tf.maximum(k, self.candidates), self._scan.items)
        positions, _ = self.first.search_now(self.interaction.pooled(queries), wanted, None, allowed)
        return self._scan.best_of_candidates(queries, positions, k)

    def _resources(self) -> list[Any]:
        return [self._scan.vectors, *(self.first.resources if self.first else [])]

    def _rows(self) -> Iterator[np.ndarray]:
        return row_blocks(self._scan.vectors, ROWS_AT_ONCE)

    def _config(self) -> dict[str, Any]:
        return {"candidates": self.candidates, "scale": self.scale}

    def _about(self) -> dict[str, Any]:
        return {**self._config(), FIRST: self.first and self.first.describe()}

    def unbuilt(self) -> Self:
        return type(self)(self.first and self.first.unbuilt(), **self._config())

    def _save(self, folder: Path) -> None:
        np.save(folder / "embeddings.npy", self._scan.vectors.numpy())
        if self.first is not None:
            self.first.save(folder / FIRST)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self._scan = PolyScan(np.load(folder / "embeddings.npy"), self.interaction)
        self.first = Index.load(folder / FIRST) if about[FIRST] else None
