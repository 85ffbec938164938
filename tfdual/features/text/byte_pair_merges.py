"""Pairs of neighbouring pieces, merged in the order in which the merges were learned."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor

SHORT = 32  # bytes; longer words take more turns, and are merged by themselves
NEVER = np.iinfo(np.int32).max


class BytePairMerges:
    """Ids of bytes to ids of pieces.

    Args:
        pairs: `(left, right, merged)` ids, the first learned first.
        size: int. How many ids there are.
    """

    def __init__(self, pairs: Sequence[tuple[int, int, int]], size: int) -> None:
        learned = np.array(pairs, np.int64).reshape(-1, 3)
        keys = learned[:, 0] * size + learned[:, 1]
        order = np.argsort(keys, kind="stable")
        self._size, self._keys, self._ranks, self._merged = size, keys[order], order.astype(np.int32), learned[:, 2]

    def __call__(self, symbols: tf.RaggedTensor) -> tf.RaggedTensor:
        """Ids of bytes `(words, None)` to ids of pieces `(words, None)`, int32."""
        short = symbols.row_lengths() <= SHORT
        parts = [tf.where(short)[:, 0], tf.where(tf.logical_not(short))[:, 0]]
        merged = tf.concat([self._merge(tf.gather(symbols, rows)) for rows in parts], axis=0)
        return tf.gather(merged, tf.math.invert_permutation(tf.concat(parts, axis=0)))

    def _merge(self, symbols: tf.RaggedTensor) -> tf.RaggedTensor:
        words = tf.cast(symbols.nrows(), tf.int32)

        def turn(ids: Tensor, word: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """Each word's best pair becomes one piece, wherever it stands."""
            best = tf.math.unsorted_segment_min(ranks, word, words)
            here = (ranks < NEVER) & (ranks == tf.gather(best, word))
            merges = _every_other(here)
            piece = tf.gather(tf.constant(self._merged, tf.int32), tf.where(merges, ranks, 0))
            ids = tf.where(merges, piece, ids)
            kept = tf.logical_not(tf.concat([[False], merges[:-1]], axis=0))
            ids, word = tf.boolean_mask(ids, kept), tf.boolean_mask(word, kept)
            return ids, word, self._ranks_of(ids, word)

        if not len(self._keys):
            return symbols
        ids, word = symbols.values, tf.cast(symbols.value_rowids(), tf.int32)
        shapes = (tf.TensorShape([None]),) * 3
        state = (ids, word, self._ranks_of(ids, word))
        ids, word, _ = tf.while_loop(lambda i, w, ranks: tf.reduce_any(ranks < NEVER), turn, state, shapes)
        return tf.RaggedTensor.from_value_rowids(ids, tf.cast(word, tf.int64), symbols.nrows(), validate=False)

    def _ranks_of(self, ids: Tensor, word: Tensor) -> Tensor:
        """When each piece was merged with the one after it, int32; `NEVER` where it wasn't, or the word ends."""
        following = tf.concat([ids[1:], [0]], axis=0)
        same = tf.concat([word[1:] == word[:-1], [False]], axis=0)[: tf.size(ids)]
        keys = tf.cast(ids, tf.int64) * self._size + tf.cast(following[: tf.size(ids)], tf.int64)
        known = tf.constant(self._keys)
        places = tf.minimum(tf.searchsorted(known, keys), len(self._keys) - 1)
        there = same & (tf.gather(known, places) == keys)
        return tf.where(there, tf.gather(tf.constant(self._ranks), places), NEVER)


def _every_other(here: Tensor) -> Tensor:
    """Of runs of neighbouring places, which are pairs of one piece repeated, the first, third, ... of each run."""
    places = tf.range(tf.size(here))
    starts = here & tf.logical_not(tf.concat([[False], here[:-1]], axis=0))
    begun = tf.concat([[0], tf.boolean_mask(places, starts)], axis=0)
    run = tf.cumsum(tf.cast(starts, tf.int32))  # how many runs have begun
    return here & ((places - tf.gather(begun, run)) % 2 == 0)
