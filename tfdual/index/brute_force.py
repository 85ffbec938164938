"""Exact search."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found
from tfdual.index.distances import prepared_queries
from tfdual.index.embedding_blocks import ROWS_AT_ONCE, EmbeddingBlocks
from tfdual.index.index import Index
from tfdual.index.item_part import DTYPES
from tfdual.index.item_parts import ItemParts
from tfdual.index.kept_rows import KeptRows, row_blocks
from tfdual.index.recall import QUERIES, ExactTop, noisy_items, recall_between
from tfdual.index.rescoring import rescored

BINARY_TIMES = 4  # as many candidates as of other types


class BruteForce(Index):
    """Score every item; exact, and in plain TensorFlow, so that any TensorFlow Serving runs it.

    Of equal scores, the lower position comes first. Any number of queries is searched in one call, in little memory.

    In `bfloat16`, `int8` or `binary` a compact copy is scanned, and the best `max(4k, k + 64)` items, of `binary` four
    times as many, are scored again in float32, so that scores are exact, and an item is missed only where the copy
    ranks it lower than that. The recall is measured at build. On a CPU, TensorFlow is not faster on compact types; with
    `keep_embeddings=False` they are smaller, and nothing is scored again.

    In `binary` an item is the signs of its numbers, one bit each, times the mean of their sizes, which is as near as
    signs come to it; the query stays as it is. It takes vectors that lie around 0, such as learned ones of length 1.

    Args:
        distance: `"dot"`, `"cosine"` or `"l2"`. Defaults to `"dot"`.
        dtype: `"float32"`, `"bfloat16"`, `"int8"` or `"binary"`. Defaults to `"float32"`.
        keep_embeddings: bool. Whether the float32 embeddings are kept beside a compact copy. Defaults to `True`.

    Raises:
        ValueError: another distance or dtype; float32 without its embeddings.

    Example:
        >>> index = BruteForce().build(np.eye(3), ids=["tea", "milk", "salt"])
        >>> found = index.search(tf.constant([[0.0, 2.0, 1.0]]), k=2)
        >>> found.ids.numpy().tolist(), found.scores.numpy().tolist()
        ([[b'milk', b'salt']], [[2.0, 1.0]])

    Reference: on signs times their mean size, Rastegari et al., 2016, "XNOR-Net", arXiv:1603.05279; on queries that
    stay as they are, Gordo et al., 2014, "Asymmetric distances for binary embeddings"
    """

    def __init__(self, distance: str = "dot", dtype: str = "float32", keep_embeddings: bool = True) -> None:
        super().__init__(distance)
        if dtype not in DTYPES:
            raise ValueError(f"dtype is one of {sorted(DTYPES)}. Received {dtype!r}.")
        if dtype == "float32" and not keep_embeddings:
            raise ValueError("In float32 the embeddings are what is searched. Take dtype='int8', or keep them.")
        self.dtype = dtype
        self.keep_embeddings = keep_embeddings

    def _build(self, blocks: EmbeddingBlocks) -> None:
        compact = self.dtype != "float32"
        kept = KeptRows(blocks.count) if compact and self.keep_embeddings else None
        queries = prepared_queries(noisy_items(blocks.first, QUERIES), self.distance).numpy() if compact else None
        exact = None if queries is None else ExactTop(queries, self.distance)
        through: Iterable[np.ndarray] = blocks
        for watcher in (kept, exact):
            through = through if watcher is None else watcher.watching(through)
        self._parts = ItemParts.of(through, blocks.count, self.dtype, self.distance)
        self._kept = None if kept is None else kept.variable
        self._recall = 1.0
        if exact is not None:
            found = self._search(tf.constant(queries), tf.constant(exact.positions.shape[1]), None, None)[0]
            self._recall = recall_between(found.numpy(), exact.positions)

    def replace(self, embeddings: Any) -> Self:
        """Other embeddings of the same items, as after an epoch of training, and return the index itself.

        Much faster than `build` where the index is small: what was traced goes on with the new ones.

        Args:
            embeddings: `(items, dim)`, or an iterable of such blocks, in the order of `build`.

        Raises:
            ValueError: other than float32; items were added, changed or deleted; another number of items or width;
                and as for `build`.
        """
        if not self.is_exact or self.items.changed != (False, False):
            raise ValueError("Only a float32 index without changes takes other embeddings. Call `build` instead.")
        blocks = EmbeddingBlocks(embeddings, self.distance, self.items.built)
        if blocks.dim != self.dim:
            raise ValueError(f"The index holds embeddings of width {self.dim}. Received {blocks.dim}.")
        self._parts.replace(blocks, self.dtype)
        return self

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        if self._kept is None:
            return self._parts.search(queries, k, allowed)
        times = BINARY_TIMES if self.dtype == "binary" else 1
        candidates = tf.minimum(times * tf.maximum(4 * k, k + 64), self._parts.size)
        positions, _ = self._parts.search(queries, candidates, allowed)
        return rescored(self._kept, queries, positions, k, self.distance)

    @property
    def is_exact(self) -> bool:
        """Whether it always finds the best items: in float32."""
        return self.dtype == "float32"

    def _resources(self) -> list[Any]:
        return self._parts.variables + ([] if self._kept is None else [self._kept])

    def _rows(self) -> Iterator[np.ndarray]:
        if self._kept is not None:
            return row_blocks(self._kept, ROWS_AT_ONCE)
        if not self.is_exact:
            raise ValueError(
                "The index was made with keep_embeddings=False, so that it can't be built anew from what it holds. "
                "Build one of your embeddings."
            )
        return self._parts.rows()

    def _config(self) -> dict[str, Any]:
        return {"distance": self.distance, "dtype": self.dtype, "keep_embeddings": self.keep_embeddings}

    def _about(self) -> dict[str, Any]:
        return {"dtype": self.dtype} | ({} if self.is_exact else {"measured_recall": round(self._recall, 4)})

    def unbuilt(self) -> Self:
        return type(self)(**self._config())

    def _save(self, folder: Path) -> None:
        self._parts.save(folder)
        if self._kept is not None:
            np.save(folder / "embeddings.npy", self._kept.numpy())

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self._parts = ItemParts.load(folder, self.distance)
        self._kept = None
        if self.keep_embeddings and not self.is_exact:
            self._kept = tf.Variable(np.load(folder / "embeddings.npy"), trainable=False)
        self._recall = about.get("measured_recall", 1.0)
