"""Texts in groups of about one length, so that little of a batch is padding, and memory is bounded."""

from collections.abc import Callable

import tensorflow as tf

from tfdual._typing import Tensor


def in_length_buckets(
    ids: tf.RaggedTensor, encode: Callable[..., Tensor], dim: int, tokens: int, *others: Tensor
) -> Tensor:
    """What `encode` gives for all rows, in their order, `(batch, dim)`; it gets them sorted by length, group by group.

    Args:
        ids: ragged `(batch, None)`.
        encode: from some rows of the ids, and of the others, to vectors `(rows, dim)`.
        dim: int.
        tokens: int. A group has at most that many, padding included, or one row.
        others: `(batch, ...)`. What else is known of each row.
    """
    order = tf.argsort(ids.row_lengths(), stable=True)
    lengths, count_of_rows = tf.gather(ids.row_lengths(), order), ids.nrows(tf.int32)

    def group(first: Tensor, place: Tensor, found: tf.TensorArray) -> tuple[Tensor, Tensor, tf.TensorArray]:
        ahead = tf.cast(lengths[first:], tf.int64)
        padded = ahead * tf.range(1, tf.size(ahead, tf.int64) + 1)  # tokens of a group that ends here
        count = tf.maximum(1, tf.reduce_sum(tf.cast(padded <= tokens, tf.int32)))
        rows = order[first : first + count]
        vectors = encode(tf.gather(ids, rows), *(tf.gather(other, rows) for other in others))
        return first + count, place + 1, found.write(place, vectors)

    found = tf.TensorArray(tf.float32, 1, dynamic_size=True, infer_shape=False, element_shape=[None, dim])
    start = (tf.constant(0), tf.constant(1), found.write(0, tf.zeros([0, dim])))  # else no row would be no array
    *_, found = tf.while_loop(lambda first, *_: first < count_of_rows, group, start, parallel_iterations=1)
    return tf.gather(tf.ensure_shape(found.concat(), [None, dim]), tf.math.invert_permutation(order))
