"""The best columns of a score matrix, by way of the maxima of blocks of columns."""

import tensorflow as tf

from tfdual._typing import Tensor

WIDTH = 64  # columns of a block
FEW_BLOCKS, FEW_SCORES = 32, 1 << 17  # up to so many, top_k alone is as fast
MINUS_INFINITY = float("-inf")


def block_top_k(scores: Tensor, k: Tensor, size: int | Tensor) -> tuple[Tensor, Tensor]:
    """What `tf.math.top_k(scores[:, :size], k)` gives, ties included, in a fraction of its time.

    The k-th best of the maxima of disjoint blocks is a threshold that k columns reach. So the k best columns stand in
    blocks whose maximum reaches it, and these are hardly more than k.

    Args:
        scores: `(rows, columns)`; the columns are a known multiple of `WIDTH`.
        k: int32 scalar, at most `size`.
        size: int or int32 scalar. The columns that count; those after it repeat the last of them.
    """
    if scores.shape[1] <= FEW_BLOCKS * WIDTH:
        return tuple(tf.math.top_k(scores[:, :size], k))
    whole = size // WIDTH
    return tf.cond(
        (k > 0) & (2 * k <= whole) & (tf.size(scores) > FEW_SCORES),
        lambda: _through_blocks(scores, k, size, whole),
        lambda: tuple(tf.math.top_k(scores[:, :size], k)),
    )


def _through_blocks(scores: Tensor, k: Tensor, size: int | Tensor, whole: int | Tensor) -> tuple[Tensor, Tensor]:
    rows, blocks = tf.shape(scores)[0], scores.shape[1] // WIDTH
    maxima = tf.reshape(tf.reduce_max(tf.reshape(scores, [-1, WIDTH]), axis=1), [rows, blocks])
    threshold = _threshold(maxima, k, whole)
    chosen = tf.cast(tf.where(tf.reshape(maxima >= threshold[:, None], [-1]))[:, 0], tf.int32)
    counts = tf.math.bincount(chosen // blocks, minlength=rows, maxlength=rows)
    # Equal scores make many blocks reach the threshold, NaN makes none.
    usual = tf.reduce_all((counts >= k) & (counts <= 2 * k + 16))
    return tf.cond(
        usual,
        lambda: _best_above(scores, k, size, threshold, chosen),
        lambda: _best_in_blocks(scores, k, size, maxima),
    )


def _threshold(maxima: Tensor, k: Tensor, whole: int | Tensor) -> Tensor:
    """A score that at least `k` columns of each row reach, `(rows,)`: the k-th best maximum of groups of blocks."""
    members = tf.maximum(whole // (4 * k), 1)
    groups = whole // members
    maxima = tf.reshape(maxima[:, : members * groups], [-1, members, groups])  # neighbours are in different groups
    maxima = tf.reduce_max(maxima, axis=1)
    maxima = tf.where(tf.math.is_nan(maxima), MINUS_INFINITY, maxima)
    return tf.raw_ops.NthElement(input=maxima, n=k - 1, reverse=True)


def _best_above(
    scores: Tensor, k: Tensor, size: int | Tensor, threshold: Tensor, chosen: Tensor
) -> tuple[Tensor, Tensor]:
    """The best of the columns that reach the threshold; `chosen` numbers the blocks of all rows that hold them."""
    rows, blocks = tf.shape(scores)[0], scores.shape[1] // WIDTH
    row = chosen // blocks
    inside = tf.gather(tf.reshape(scores, [-1, WIDTH]), chosen)  # (chosen, WIDTH)
    reached = inside >= tf.gather(threshold, row)[:, None]
    found = tf.cast(tf.where(tf.reshape(reached, [-1]))[:, 0], tf.int32)
    block = found // WIDTH
    column = tf.gather(chosen % blocks, block) * WIDTH + found % WIDTH
    values = tf.where(column < size, tf.gather(tf.reshape(inside, [-1]), found), MINUS_INFINITY)
    lists = tf.RaggedTensor.from_value_rowids(values, tf.gather(row, block), rows, validate=False)
    padded = lists.to_tensor(MINUS_INFINITY)  # (rows, longest list)
    longest = tf.shape(padded)[1]
    # To sort a short list whole is faster than to keep a heap of its best.
    best, places = tf.math.top_k(padded, tf.where(longest < 4 * k, longest, k))
    best, places = best[:, :k], places[:, :k]
    return best, tf.gather(column, tf.cast(lists.row_starts(), tf.int32)[:, None] + places)


def _best_in_blocks(scores: Tensor, k: Tensor, size: int | Tensor, maxima: Tensor) -> tuple[Tensor, Tensor]:
    """The best of the `k` blocks with the best maxima: however many scores are equal, lower columns come first."""
    rows, blocks = tf.shape(scores)[0], scores.shape[1] // WIDTH
    numbers = tf.math.top_k(maxima[:, : -(-size // WIDTH)], k)[1]
    numbers = tf.sort(numbers, axis=1)
    inside = tf.gather(tf.reshape(scores, [rows, blocks, WIDTH]), numbers, batch_dims=1)
    columns = numbers[:, :, None] * WIDTH + tf.range(WIDTH)
    inside = tf.where(columns < size, inside, MINUS_INFINITY)
    best, places = tf.math.top_k(tf.reshape(inside, [rows, k * WIDTH]), k)
    columns = tf.gather(tf.reshape(columns, [rows, k * WIDTH]), places, batch_dims=1)
    return best, tf.minimum(columns, size - 1)
