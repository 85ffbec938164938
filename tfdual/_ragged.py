"""Ragged tensors, which only the TensorFlow backend has."""

from typing import Any

import tensorflow as tf


def is_ragged(values: Any) -> bool:
    """Whether rows of `values` differ in length."""
    return isinstance(values, tf.RaggedTensor)
