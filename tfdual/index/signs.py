"""The signs of vectors, eight in a byte."""

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor

BITS = np.arange(8, dtype=np.uint8)[None, :, None]


def packed(rows: np.ndarray) -> np.ndarray:
    """Whether each number is above 0: `(rows, dim)` -> uint8 `(rows, bytes)`, the first number in the lowest bit."""
    return np.packbits(rows > 0, axis=1, bitorder="little")


def unpacked(columns: Tensor, dim: int) -> Tensor:
    """1 where a number was above 0, else -1: uint8 `(bytes, columns)` -> float32 `(dim, columns)`."""
    bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(columns[:, None], BITS), np.uint8(1))  # (bytes, 8, columns)
    signs = 2.0 * tf.cast(bits, tf.float32) - 1.0
    return tf.reshape(signs, [-1, tf.shape(columns)[1]])[:dim]
