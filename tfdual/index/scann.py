"""Approximate search by ScaNN, tuned to a recall."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.allowed_rows import best_allowed
from tfdual.index.best_places import Found
from tfdual.index.distances import prepared_queries
from tfdual.index.embedding_blocks import ROWS_AT_ONCE, EmbeddingBlocks
from tfdual.index.index import Index
from tfdual.index.item_parts import ItemParts
from tfdual.index.kept_rows import row_blocks
from tfdual.index.recall import QUERIES, ExactTop, K, noisy_items
from tfdual.index.scann_options import Options, builder_steps, check_options
from tfdual.index.scann_report import curve_table, draw_curve
from tfdual.index.scann_searcher import ScannSearcher, scann_ops
from tfdual.index.scann_tuning import ScannTuning, TuningPoint
from tfdual.index.widening import widened

EXACT_BELOW = 20_000
FEW_ALLOWED = 20_000, 0.01  # items, share: of less, all are scored

SEARCHER, CURVE = "scann", "curve.json"
NOT_KEPT = (
    "The index was made with keep_embeddings=False, so that it can't be built anew from what it holds. Build one of "
    "your embeddings."
)


class ScaNN(Index):
    """ScaNN: a partition tree, quantised scores, exact re-scoring; tuned to a wanted recall.

    Below 20,000 items it is exact, and plain TensorFlow. Above, leaves to search and the number of items to score again
    are chosen: of the settings that find `target_recall` of the exact top 10 on one half of the tuning queries, the
    fastest, with more leaves where the other half finds less. In Python it searches by scann's pybind module, in a
    graph by its TensorFlow op; both hold the same tree and codes, and find the same neighbours.

    A query that finds fewer than `k` items searches more leaves. With `allow`, so do those that find too few allowed
    items; where fewer than 20,000 items, or 1 %, are allowed, these are scored exactly instead.

    Args:
        target_recall: float in (0, 1]. Share of the exact top 10 that is to be found. Defaults to 0.95.
        distance: `"dot"`, `"cosine"` or `"l2"`. Defaults to `"dot"`.
        tuning_queries: `(queries, dim)`. What to tune on: outputs of the query tower, if the recall is to hold for
            them. Defaults to `None`: sampled items, each moved in a random direction by half its length.
        leaves: int. Leaves of the tree. Defaults to `None`: twice the square root of the number of items.
        leaves_to_search: int. Defaults to `None`: tuned.
        reorder: int. How many items to score again. Defaults to `None`: tuned.
        keep_embeddings: bool. False: items are scored again by int8 rows, a quarter of the memory; then `compact` can't
            be called, and filters only widen the search. Defaults to `True`.
        options: mapping of a method of scann's builder -> its arguments, over those chosen here, such as
            `{"tree": {"training_iterations": 20}}`; `None` instead of arguments leaves the step out.

    Attributes:
        curve: list of `TuningPoint(leaves_to_search, reorder, recall, queries_per_second)`, fast to thorough; empty
            where the search is exact.

    Raises:
        ValueError: a recall outside (0, 1]; numbers below 1; another distance; options that scann or its op lacks.
        ImportError: scann is not installed (it has wheels for Linux only; elsewhere use `BruteForce`).

    Reference: Guo et al., 2020, arXiv:1908.10396
    """

    def __init__(
        self,
        target_recall: float = 0.95,
        distance: str = "dot",
        tuning_queries: np.ndarray | None = None,
        leaves: int | None = None,
        leaves_to_search: int | None = None,
        reorder: int | None = None,
        keep_embeddings: bool = True,
        options: Options | None = None,
    ) -> None:
        super().__init__(distance)
        if not 0 < target_recall <= 1:
            raise ValueError(f"target_recall is in (0, 1]. Received {target_recall}.")
        counts = {"leaves": leaves, "leaves_to_search": leaves_to_search, "reorder": reorder}
        if bad := {name: count for name, count in counts.items() if count is not None and count < 1}:
            raise ValueError(f"{' and '.join(bad)} must be at least 1. Received {bad}.")
        check_options(options or {})
        self.target_recall = target_recall
        self.tuning_queries = tuning_queries
        self.leaves = leaves
        self.leaves_to_search = leaves_to_search
        self.reorder = reorder
        self.keep_embeddings = keep_embeddings
        self.options = options
        self.curve: list[TuningPoint] = []
        scann_ops()

    def _build(self, blocks: EmbeddingBlocks) -> None:
        given = None if self.tuning_queries is None else self._given_queries(blocks.dim)
        rows = blocks.matrix()
        parts, searcher, own_rows = None, None, None
        if len(rows) < EXACT_BELOW:
            parts = ItemParts.of([rows], len(rows), "float32", self.distance)
        else:
            steps = builder_steps(len(rows), self.distance, self.leaves, self.options or {}, not self.keep_embeddings)
            searcher = ScannSearcher.build(rows, self.distance, steps)
            if self.keep_embeddings and searcher.rows is None:
                own_rows = tf.Variable(rows, trainable=False)
        self._parts, self._searcher, self._own_rows = parts, searcher, own_rows
        self._chosen, self._recall, self.curve = (0, 0), 1.0, []
        if searcher is not None:
            self._tune(rows, searcher, noisy_items(rows, 2 * QUERIES) if given is None else given)

    def _tune(self, rows: np.ndarray, searcher: ScannSearcher, queries: np.ndarray) -> None:
        queries = prepared_queries(queries, self.distance).numpy()
        exact = ExactTop(queries, self.distance)
        for _ in exact.watching(rows[at : at + ROWS_AT_ONCE] for at in range(0, len(rows), ROWS_AT_ONCE)):
            pass
        tuning = ScannTuning(searcher, queries, exact.positions)
        given = None if self.leaves_to_search is None else min(self.leaves_to_search, searcher.leaves)
        self._chosen = tuning.choose(self.target_recall, given, self.reorder)
        self._recall = tuning.held_out(*self._chosen)
        if self._recall < self.target_recall:
            warnings.warn(
                f"ScaNN finds {self._recall:.3f} of the exact top 10, not the wanted {self.target_recall}. Let reorder "
                "and leaves_to_search be tuned, keep the embeddings, or take `BruteForce`.",
                stacklevel=4,
            )
        self.curve = tuning.curve(*self._chosen)

    def _given_queries(self, dim: int) -> np.ndarray:
        queries = np.asarray(self.tuning_queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != dim or not len(queries) or not np.isfinite(queries).all():
            raise ValueError(f"tuning_queries are finite, of shape (queries, {dim}). Received {queries.shape}.")
        chosen = np.random.default_rng(0).permutation(len(queries))[: 2 * QUERIES]
        return queries[chosen]

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        if self._parts is not None:
            return self._parts.search(queries, k, allowed)
        if allowed is None:
            return self._through_tree(queries, k, None, None)
        if (rows := self._float_rows()) is None:
            return self._through_tree(queries, k, allowed, count)
        left = tf.math.count_nonzero(tf.reduce_any(allowed, axis=0), dtype=tf.int32) if count is None else count
        few = max(FEW_ALLOWED[0], int(FEW_ALLOWED[1] * rows.shape[0]))
        return tf.cond(
            left < few,
            lambda: best_allowed(rows, queries, k, allowed, self.distance),
            lambda: self._through_tree(queries, k, allowed, count),
        )

    def _through_tree(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        searcher, (leaves, reorder) = self._searcher, self._chosen
        assert searcher is not None

        def search(width: Tensor, leaves: Tensor) -> Found:
            if tf.executing_eagerly():
                width = int(width)
                return searcher.search(queries, width, int(leaves), max(2 * width if width > K else width, reorder))
            again = tf.where(width > K, 2 * width, width)
            return searcher.search(queries, width, leaves, tf.maximum(again, reorder))

        return widened(search, k, searcher.items, (leaves, searcher.leaves), allowed, count)

    def _float_rows(self) -> tf.Variable | None:
        if self._own_rows is not None or self._searcher is None:
            return self._own_rows
        return self._searcher.rows

    @property
    def _in_one_graph(self) -> bool:
        return self._parts is not None  # pybind is no part of a graph

    @property
    def is_exact(self) -> bool:
        """Whether it always finds the best items: below 20,000."""
        return self._parts is not None

    def report(self) -> str:
        """The curve as a table of text."""
        if not self.curve:
            return f"{self.size:,} items are searched exactly.\n"
        title = f"{self.size:,} items in {self._all_leaves:,} leaves, wanted recall {self.target_recall}"
        return curve_table(self.curve, self._chosen, title)

    def plot(self, path: str | Path) -> None:
        """Write the curve as a picture, such as `curve.png`.

        Raises:
            ValueError: the search is exact, so that there is no curve.
            ImportError: matplotlib is not installed.
        """
        if not self.curve:
            raise ValueError(f"There is no curve to draw: {self.size:,} items are searched exactly.")
        draw_curve(self.curve, self._chosen, self.target_recall, path)

    @property
    def _all_leaves(self) -> int:
        return self._searcher.leaves if self._searcher else 0

    def _resources(self) -> list[Any]:
        if self._parts is not None:
            return self._parts.variables
        own = [] if self._own_rows is None else [self._own_rows]
        return [self._searcher.state, *own] if self._searcher else own

    def _rows(self) -> Iterator[np.ndarray]:
        if self._parts is not None:
            return self._parts.rows()
        if (rows := self._float_rows()) is None:
            raise ValueError(NOT_KEPT)
        return row_blocks(rows, ROWS_AT_ONCE)

    def _config(self) -> dict[str, Any]:
        return {
            "target_recall": self.target_recall,
            "distance": self.distance,
            "leaves": self.leaves,
            "leaves_to_search": self.leaves_to_search,
            "reorder": self.reorder,
            "keep_embeddings": self.keep_embeddings,
            "options": self.options and {name: step and dict(step) for name, step in self.options.items()},
        }

    def _about(self) -> dict[str, Any]:
        return {
            "leaves": self._all_leaves,
            "leaves_to_search": self._chosen[0],
            "reorder": self._chosen[1],
            "target_recall": self.target_recall,
            "measured_recall": round(self._recall, 4),
        }

    def unbuilt(self) -> Self:
        return type(self)(**self._config(), tuning_queries=self.tuning_queries)

    def _save(self, folder: Path) -> None:
        if self.tuning_queries is not None:
            np.save(folder / "tuning_queries.npy", np.asarray(self.tuning_queries, np.float32))
        if self._parts is not None:
            self._parts.save(folder)
        if self._searcher is not None:
            (folder / SEARCHER).mkdir()
            self._searcher.save(folder / SEARCHER)
            (folder / CURVE).write_text(json.dumps(self.curve) + "\n", encoding="utf-8")
        if self._own_rows is not None:
            np.save(folder / "embeddings.npy", self._own_rows.numpy())

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        if (path := folder / "tuning_queries.npy").exists():
            self.tuning_queries = np.load(path)
        self._parts = self._searcher = self._own_rows = None
        if about["exact"]:
            self._parts = ItemParts.load(folder, self.distance)
        else:
            self._searcher = ScannSearcher.load(folder / SEARCHER, self.distance)
            self.curve = [TuningPoint(*point) for point in json.loads((folder / CURVE).read_text(encoding="utf-8"))]
        if (path := folder / "embeddings.npy").exists():
            self._own_rows = tf.Variable(np.load(path), trainable=False)
        self._chosen = about["leaves_to_search"], about["reorder"]
        self._recall = about["measured_recall"]
