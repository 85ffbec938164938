"""How much of a text is read, and what stands around its tokens."""

import tensorflow as tf

from tfdual._typing import Tensor

BYTES_A_TOKEN = 64  # ten times what a token of running text takes


def beginning(texts: Tensor, max_length: int) -> Tensor:
    """The first `64 * max_length` bytes of each text, so that a book costs no more than its first page."""
    return tf.strings.substr(texts, 0, BYTES_A_TOKEN * max_length, unit="BYTE")


def between(start: int, ids: tf.RaggedTensor, end: int, max_length: int) -> tf.RaggedTensor:
    """The first ids of each row, at most `max_length` with the two around them, int32 `(batch, None)`."""
    ids = tf.cast(ids[:, : max_length - 2], tf.int32)
    ends = tf.ones([ids.nrows(), 1], tf.int32)
    return tf.concat([start * ends, ids, end * ends], axis=1)
