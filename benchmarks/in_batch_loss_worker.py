"""A variant of `in_batch_loss.py`: loss and gradients of a batch, many times."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import tensorflow as tf
from worker import Worker

from tfdual.losses import in_batch_softmax

ITEMS = 50_000
TEMPERATURE = 0.1
BLOCK = 256


def batch_of(rows: int, dim: int) -> dict[str, tf.Tensor]:
    """Queries and items of unit length, the items' ids of Zipf popularity, and their log-probabilities."""
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, ITEMS + 1)
    popularity /= popularity.sum()
    ids = rng.choice(ITEMS, rows, p=popularity)
    query, table = (rng.normal(size=(count, dim)).astype("float32") for count in (rows, ITEMS))
    query, item = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (query, table[ids]))
    found = {"query": query / TEMPERATURE, "item": item, "ids": ids, "log_probability": np.log(popularity[ids])}
    return {name: tf.constant(values, tf.int64 if name == "ids" else tf.float32) for name, values in found.items()}


def whole_matrix(query: tf.Tensor, item: tf.Tensor, ids: tf.Tensor, log_probability: tf.Tensor) -> tf.Tensor:
    """The loss in plain TensorFlow."""
    scores = tf.matmul(query, item, transpose_b=True)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(tf.shape(query)[0]), scores))


def whole_matrix_ids(query: tf.Tensor, item: tf.Tensor, ids: tf.Tensor, log_probability: tf.Tensor) -> tf.Tensor:
    """The same with the sampling correction, and accidental hits masked."""
    rows = tf.range(tf.shape(query)[0])
    hits = tf.logical_and(tf.equal(ids[:, None], ids), tf.not_equal(rows[:, None], rows))
    scores = tf.where(hits, -np.inf, tf.matmul(query, item, transpose_b=True) - log_probability)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(rows, scores))


LOSSES = {
    "whole matrix": whole_matrix,
    "tfdual": lambda query, item, ids, log_probability: in_batch_softmax(query, item),
    "whole matrix, ids": whole_matrix_ids,
    "tfdual, ids": in_batch_softmax,
    "tfdual, distinct items": lambda *batch: in_batch_softmax(*batch, distinct=True),
}
UNKNOWN = ", unknown size"


def with_gradients(loss_of: Callable) -> Callable:
    """The loss of a batch, and its gradients by queries and items."""

    def step(query: tf.Tensor, item: tf.Tensor, ids: tf.Tensor, log_probability: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch([query, item])
            loss = loss_of(query, item, ids, log_probability)
        return loss, tape.gradient(loss, [query, item])

    return step


def products(query: tf.Tensor, item: tf.Tensor, ids: tf.Tensor, log_probability: tf.Tensor) -> tuple:
    """The three matrix products alone, in blocks of rows; the sum stands for the loss."""
    columns = tf.transpose(item)

    def body(start: tf.Tensor, by_item: tf.Tensor, total: tf.Tensor) -> tuple:
        block = query[start : start + BLOCK]
        scores = tf.matmul(block, columns)
        total += tf.matmul(scores, item)[0, 0]
        return start + BLOCK, by_item + tf.matmul(scores, block, transpose_a=True), total

    start = (0, tf.zeros_like(item), 0.0)
    _, by_item, total = tf.while_loop(lambda at, *_: at < tf.shape(query)[0], body, start, parallel_iterations=2)
    return total, by_item


def main() -> None:
    """The warm-up traces the step and runs it once; a round runs it many times."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras")
    batch = tuple(batch_of(worker.batch, worker.settings["dim"]).values())
    step = products if worker.variant == "products" else with_gradients(LOSSES[worker.variant.removesuffix(UNKNOWN)])
    rows = None if worker.variant.endswith(UNKNOWN) else worker.batch
    step = tf.function(step, input_signature=[tf.TensorSpec([rows, *part.shape[1:]], part.dtype) for part in batch])
    worker.start(0)
    worker.finish(loss=step(*batch)[0].numpy())
    for place in range(1, worker.rounds):
        worker.start(place)
        seconds = [timed(step, batch) for _ in range(worker.settings["steps"])]
        worker.finish(milliseconds=1000 * median(seconds))


def timed(step: Callable, batch: tuple) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    step(*batch)[0].numpy()
    return time.perf_counter() - started


main()
