"""Ragged tensors, which only the TensorFlow backend has."""

import tensorflow as tf

from tfdual._typing import Tensor


def is_ragged(values: Tensor) -> bool:
    """Whether rows of `values` differ in length."""
    return isinstance(values, tf.RaggedTensor)
