"""Branches of a graph that are seldom taken."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor


def seldom(branch: Callable[[], tuple[Tensor, ...]]) -> Any:
    """The branch as one node of the graph around it.

    TensorFlow writes a branch out otherwise: each request walks over the nodes of those that it doesn't take, and the
    first request waits until all are optimised.
    """
    if tf.executing_eagerly():
        return branch
    return tf.function(branch, autograph=False, experimental_attributes={"_noinline": True})
