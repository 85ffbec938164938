"""Exact search."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index._block_top_k import WIDTH, block_top_k
from tfdual.index.index import Index

ITEMS_AT_ONCE = 1 << 20
SCORES_AT_ONCE = 1 << 26  # 256 MiB
QUERIES_AT_ONCE = (64, 512)  # least and most


class BruteForce(Index):
    """Score every item; exact, and in plain TensorFlow, so that any TensorFlow Serving runs it.

    Of equal scores, the lower position comes first. Any number of queries is searched in one call: they are taken in
    blocks, so that memory holds two blocks of scores, 256 MiB each, whatever the corpus.

    Example:
        >>> index = BruteForce().build(np.eye(3))
        >>> scores, positions = index.search(tf.constant([[0.0, 2.0, 1.0]]), k=2)
        >>> positions.numpy().tolist()
        [[1, 2]]
    """

    def _build(self, embeddings: np.ndarray) -> None:
        self._embeddings = tf.Variable(_in_parts(embeddings), trainable=False, name="embeddings")
        self._top_k = tf.function(
            partial(_search, self._embeddings, self.size),
            input_signature=[tf.TensorSpec([None, self.dim], tf.float32), tf.TensorSpec([], tf.int32)],
            autograph=False,
        )

    def _search(self, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        return self._top_k(tf.cast(queries, tf.float32), k)

    @property
    def resources(self) -> list[Any]:
        """The embeddings."""
        return [self._embeddings]

    def describe(self) -> dict[str, Any]:
        """Kind and settings, as plain JSON types."""
        return {"kind": "BruteForce", "items": self.size, "dim": self.dim}


def _in_parts(embeddings: np.ndarray) -> np.ndarray:
    """As `(parts, dim, columns)`, which a product reads twice as fast; the last item fills the rest."""
    items, dim = embeddings.shape
    count = -(-items // ITEMS_AT_ONCE)
    columns = -(-items // (count * WIDTH)) * WIDTH
    parts = np.empty((count, dim, columns), np.float32)
    for number, part in enumerate(parts):
        block = embeddings[number * columns : (number + 1) * columns]
        part[:, : len(block)] = block.T
        part[:, len(block) :] = embeddings[-1][:, None]
    return parts


def _search(embeddings: tf.Variable, size: int, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and positions of the best, in as many blocks of queries as memory asks for."""
    least, most = QUERIES_AT_ONCE
    at_once = min(max(SCORES_AT_ONCE // embeddings.shape[2], least), most)
    rows = tf.shape(queries)[0]
    search = partial(_search_block, embeddings, size, k=k)
    return tf.cond(rows <= at_once, lambda: search(queries), lambda: _by_blocks(search, queries, k, at_once))


def _by_blocks(search: Callable, queries: Tensor, k: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """Blocks of equal size, two at a time; the last query is repeated where the last block lacks some."""
    rows, dim = tf.shape(queries)[0], queries.shape[1]
    blocks = -(-rows // at_once)
    block_rows = -(-rows // blocks)
    queries = tf.gather(queries, tf.minimum(tf.range(blocks * block_rows), rows - 1))
    queries = tf.reshape(queries, [blocks, block_rows, dim])
    found = tf.map_fn(search, queries, parallel_iterations=2, fn_output_signature=(tf.float32, tf.int32))
    scores, positions = (tf.reshape(part, [blocks * block_rows, k])[:rows] for part in found)
    return scores, positions


def _search_block(embeddings: tf.Variable, size: int, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Part by part of the items, which are one part unless there are more than a million."""
    parts, _, columns = embeddings.shape

    def search_part(number: int | Tensor) -> tuple[Tensor, Tensor]:
        items = tf.minimum(columns, size - number * columns) if parts > 1 else size
        scores = tf.matmul(queries, embeddings.value()[number])  # (block_rows, columns)
        best, positions = block_top_k(scores, tf.minimum(k, items), items)
        return best, positions + number * columns

    def add_part(number: Tensor, *best: Tensor) -> tuple[Tensor, ...]:
        scores, positions = (tf.concat(pair, axis=1) for pair in zip(best, search_part(number), strict=True))
        scores, places = tf.math.top_k(scores, tf.minimum(k, tf.shape(scores)[1]))
        return number + 1, scores, tf.gather(positions, places, batch_dims=1)

    best = search_part(0)
    if parts == 1:
        return best
    first = (tf.constant(1), *best)
    _, scores, positions = tf.while_loop(lambda number, *_: number < parts, add_part, first, parallel_iterations=1)
    return scores, positions
