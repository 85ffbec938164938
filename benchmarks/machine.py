"""What the machine reaches: multiply-adds of a matrix product, bytes of memory."""

import time
from collections.abc import Callable

import tensorflow as tf

FLOATS = 1 << 26  # 256 MiB, more than caches hold


def multiply_adds_per_second(dim: int) -> float:
    """Of a product where nothing leaves the cache: the best of many."""
    left, right = tf.ones([1_024, dim]), tf.ones([dim, 4_096])
    return 1_024 * 4_096 * dim / _least_seconds(lambda: tf.matmul(left, right).numpy(), 50)


def bytes_per_second() -> float:
    """Read and written, of one array that is added to another: the best of some."""
    total, values = tf.Variable(tf.zeros([FLOATS])), tf.ones([FLOATS])
    return 3 * 4 * FLOATS / _least_seconds(lambda: total.assign_add(values, read_value=False), 8)


def _least_seconds(function: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
