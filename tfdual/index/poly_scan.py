"""Scores of queries of several codes: with all items, and with lists of them."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index._block_top_k import WIDTH, block_top_k
from tfdual.index.best_places import Found, best_of
from tfdual.index.kept_rows import rows_at
from tfdual.index.query_blocks import by_blocks
from tfdual.index.seldom import seldom
from tfdual.interactions.poly_attention import PolyAttention, is_there

ITEMS_AT_ONCE = 8_192  # whose products with a query's codes a cache holds
PRODUCTS_AT_ONCE = 1 << 21
QUERIES_AT_ONCE = 8
SCORES_AT_ONCE = 1 << 26  # 256 MiB
VALUES_AT_ONCE = 1 << 24  # of vectors that are gathered
LARGEST = 40.0  # of which `exp`, and sums of it, stay far from the ends of float32


class PolyScan:
    """Item vectors, and the scores of queries by the attention over their codes.

    Args:
        vectors: float32 `(items, dim)`.
        interaction: PolyAttention.
    """

    def __init__(self, vectors: np.ndarray, interaction: PolyAttention) -> None:
        self._interaction = interaction
        self._longest = float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max()))
        self.items, dim = vectors.shape
        self.vectors = tf.Variable(vectors, trainable=False)
        spec = [tf.TensorSpec([None, None, dim], tf.float32)]
        # A function, so that it is traced once for one block of queries and for many.
        self._scores = tf.function(self._of_all, input_signature=spec, autograph=False)

    def best_of_all(self, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
        """The best `k` items of each query, exactly; of equal scores the lower position first.

        Args:
            queries: float32 `(batch, codes, dim)`.
            k: int32 scalar, at most all.
            allowed: bool `(1, items)` or `(batch, items)`. None: all.
        """
        of_codes = PRODUCTS_AT_ONCE // (ITEMS_AT_ONCE * tf.maximum(tf.shape(queries)[1], 1))
        at_once = tf.clip_by_value(of_codes, 1, min(max(SCORES_AT_ONCE // self.items, 1), QUERIES_AT_ONCE))
        lacking = -self.items % WIDTH

        def search(queries: Tensor, allowed: Tensor | None = None) -> Found:
            scores = self._scores(queries)
            if allowed is not None:
                scores = tf.where(allowed, scores, -float("inf"))
            padded = tf.pad(scores, [[0, 0], [0, lacking]], constant_values=-float("inf"))
            best, places = block_top_k(tf.ensure_shape(padded, [None, self.items + lacking]), k, self.items)
            return tf.where(tf.equal(best, -float("inf")), -1, places), best

        if allowed is None:
            return by_blocks(search, [queries], k, at_once)
        return tf.cond(
            tf.shape(allowed)[0] == 1,
            lambda: by_blocks(partial(search, allowed=allowed), [queries], k, at_once),
            lambda: by_blocks(search, [queries, allowed], k, at_once),
        )

    def best_of_candidates(self, queries: Tensor, positions: Tensor, k: Tensor) -> Found:
        """The best `k` of each query's candidates.

        Args:
            queries: float32 `(batch, codes, dim)`.
            positions: int32 `(batch, candidates)`; -1 where there is none.
            k: int32 scalar, at most as many.
        """
        return best_of(positions, list_scores(self._interaction, self.vectors, queries, positions), k)

    def _of_all(self, queries: Tensor) -> Tensor:
        """`(batch, items)`."""
        longest = tf.sqrt(tf.reduce_max(tf.reduce_sum(tf.square(queries), axis=2)))
        plain = _plain(queries, self._interaction.scale)
        stable = partial(self._interaction.among, queries)
        return tf.cond(
            self._interaction.scale * self._longest * longest < LARGEST,
            lambda: self._in_blocks(plain),
            seldom(lambda: self._in_blocks(stable)),
        )

    def _in_blocks(self, score: Callable[[Tensor], Tensor]) -> Tensor:
        values, whole = self.vectors.value(), self.items // ITEMS_AT_ONCE
        rest = score(values[whole * ITEMS_AT_ONCE :])
        if not whole:
            return rest
        blocks = tf.map_fn(
            lambda place: score(values[place * ITEMS_AT_ONCE : (place + 1) * ITEMS_AT_ONCE]),
            tf.range(whole),
            parallel_iterations=2,
            fn_output_signature=tf.TensorSpec([None, ITEMS_AT_ONCE], tf.float32),
        )
        blocks = tf.reshape(tf.transpose(blocks, [1, 0, 2]), [-1, whole * ITEMS_AT_ONCE])
        return tf.concat([blocks, rest], axis=1)


def list_scores(interaction: PolyAttention, vectors: tf.Variable, queries: Tensor, positions: Tensor) -> Tensor:
    """The scores of lists of items, float32 `(batch, n)`; -inf where the position is -1.

    Args:
        interaction: PolyAttention.
        vectors: float32 `(items, dim)`, of one item at least.
        queries: float32 `(batch, codes, dim)`.
        positions: int32 `(batch, n)`.
    """

    def score(queries: Tensor, positions: Tensor) -> Found:
        own = rows_at(vectors, tf.maximum(positions, 0))  # (block, n, dim)
        return positions, tf.where(positions < 0, -float("inf"), interaction.each(queries, own))

    count = tf.shape(positions)[1]
    at_once = tf.maximum(VALUES_AT_ONCE // tf.maximum(count * vectors.shape[1], 1), 1)
    return by_blocks(score, [queries, positions], count, at_once)[1]


def _plain(queries: Tensor, scale: float) -> Callable[[Tensor], Tensor]:
    """What `PolyAttention.among` gives, of products so small that no maximum need be subtracted: items to scores.

    The codes are scaled, not each product, and the scores once they are summed. The sums over codes are products with a
    matrix of zeros and ones, which is faster than to sum rows.
    """
    count, codes, dim = tf.unstack(tf.shape(queries))
    flat = scale * tf.reshape(queries, [count * codes, dim])
    own = tf.eye(count)[:, None] * tf.cast(is_there(queries), tf.float32)[..., None]
    own = tf.reshape(own, [count * codes, count])

    def score(items: Tensor) -> Tensor:
        logits = tf.matmul(items, flat, transpose_b=True)  # (items, count * codes)
        shares = tf.exp(logits)
        return tf.transpose(tf.matmul(shares * logits, own) / (scale * tf.matmul(shares, own)))

    return score
