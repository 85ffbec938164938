"""Approximate search by ScaNN, tuned to a recall."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._optional import require
from tfdual._quiet import quiet_stderr
from tfdual._typing import Tensor
from tfdual.index.brute_force import BruteForce
from tfdual.index.index import Index

EXACT_BELOW = 20_000
TUNING_QUERIES = 512
TUNING_K = 10
ADVICE = "ScaNN has wheels for Linux only (`pip install scann`); elsewhere use `tfdual.BruteForce()`."


class ScaNN(Index):
    """ScaNN's TensorFlow op: a partition tree, quantised scores, exact re-scoring.

    Below 20,000 items it is exact. Above, the number of leaves to search is the smallest power of two (at most all)
    whose recall@10 on sampled queries reaches `target_recall`; a query that finds fewer than `k` items searches all.

    Args:
        target_recall: float in (0, 1]. Share of the exact top 10 that is to be found. Defaults to 0.95.
        tuning_queries: `(queries, dim)`. What to tune on. Defaults to `None`: a sample of the items.

    Raises:
        ValueError: a recall outside (0, 1].
        ImportError: scann is not installed (it has wheels for Linux only; elsewhere use `BruteForce`).

    Reference: Guo et al., 2020, arXiv:1908.10396
    """

    def __init__(self, target_recall: float = 0.95, tuning_queries: np.ndarray | None = None) -> None:
        if not 0 < target_recall <= 1:
            raise ValueError(f"target_recall is in (0, 1]. Received {target_recall}.")
        self.target_recall = target_recall
        self.tuning_queries = tuning_queries
        self._ops = require("scann.scann_ops.py.scann_ops", advice=ADVICE)

    def _build(self, embeddings: np.ndarray) -> None:
        builder = self._ops.builder(embeddings, TUNING_K, "dot_product")
        self._leaves = self._all_leaves = 0
        if len(embeddings) < EXACT_BELOW:
            builder = builder.score_brute_force()
        else:
            self._all_leaves = int(np.sqrt(len(embeddings)))
            sample = min(len(embeddings), 250_000)
            builder = builder.tree(self._all_leaves, max(1, self._all_leaves // 10), training_sample_size=sample)
            builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(100)
        with quiet_stderr():
            self._module = builder.build().serialize_to_module()
        self._recall = 1.0
        if self._all_leaves:
            self._tune(embeddings)

    def _tune(self, embeddings: np.ndarray) -> None:
        queries = self.tuning_queries
        if queries is None:
            queries = np.random.default_rng(0).choice(embeddings, TUNING_QUERIES, replace=False)
        queries = tf.constant(queries[:TUNING_QUERIES], tf.float32)
        exact = BruteForce().build(embeddings).search(queries, TUNING_K)[1].numpy()
        self._leaves = 1
        while (recall := self._recall_of(queries, exact)) < self.target_recall and self._leaves < self._all_leaves:
            self._leaves = min(2 * self._leaves, self._all_leaves)
        self._recall = recall

    def _recall_of(self, queries: Tensor, exact: np.ndarray) -> float:
        found = self._search(queries, tf.constant(TUNING_K))[1].numpy()
        return float(np.mean([len(set(a) & set(b)) / TUNING_K for a, b in zip(found, exact, strict=True)]))

    def _search(self, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        searcher = self._ops.searcher_from_module(self._module)
        queries = tf.cast(queries, tf.float32)
        if not self._all_leaves:
            positions, scores = searcher.search_batched_parallel(queries, final_num_neighbors=k)
            return _shaped(scores, positions, k)

        def through(leaves: int, reorder: Tensor) -> tuple[Tensor, Tensor]:
            positions, scores = searcher.search_batched_parallel(queries, k, reorder, leaves)
            return _shaped(scores, positions, k)

        scores, positions = through(self._leaves, tf.maximum(2 * k, 100))
        return tf.cond(
            tf.reduce_any(positions < 0),
            lambda: through(self._all_leaves, tf.maximum(2 * k, 100)),
            lambda: (scores, positions),
        )

    @property
    def resources(self) -> list[Any]:
        """ScaNN's serialised searcher."""
        return [self._module]

    def describe(self) -> dict[str, Any]:
        """Kind and settings, as plain JSON types."""
        return {
            "kind": "ScaNN",
            "items": self.size,
            "dim": self.dim,
            "exact": not self._all_leaves,
            "leaves": self._all_leaves,
            "leaves_to_search": self._leaves,
            "target_recall": self.target_recall,
            "measured_recall": round(self._recall, 4),
        }


def _shaped(scores: Tensor, positions: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """ScaNN marks what it didn't find by NaN, and leaves out columns that no query filled."""
    lacking = k - tf.shape(scores)[1]
    scores = tf.pad(scores, [[0, 0], [0, lacking]], constant_values=np.nan)
    positions = tf.pad(positions, [[0, 0], [0, lacking]])
    missing = tf.math.is_nan(scores)
    return tf.where(missing, -np.inf, scores), tf.where(missing, -1, positions)
