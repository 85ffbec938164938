"""TensorFlow Recommenders' layers `ScaNN` and `BruteForce`, in an environment of its own."""

import math
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import index_data
import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from index_data import DIM, K
from index_rounds import Setting, work
from scann import scann_ops
from worker import Worker

TO_SEARCH = (2, 4, 8, 15, 30, 60, 100, 200)
REORDERS = (100, 1_000)  # the layer's tutorial takes 1,000


def scann(items: np.ndarray) -> list[Setting]:
    """The layer fixes the leaves to search and the candidates to score again when it is built.

    So that its tree is trained once, they are given to the layer's own searcher, as its `call` would.
    """
    leaves = math.isqrt(len(items))
    layer = tfrs.layers.factorized_top_k.ScaNN(
        k=K, num_leaves=leaves, num_leaves_to_search=max(1, leaves // 10), num_reordering_candidates=REORDERS[-1]
    ).index(tf.constant(items))

    @tf.function(input_signature=[tf.TensorSpec([None, DIM]), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int32)])
    def search(queries: tf.Tensor, to_search: tf.Tensor, reorder: tf.Tensor) -> tf.Tensor:
        searcher = scann_ops.searcher_from_module(layer._serialized_searcher)
        return searcher.search_batched_parallel(queries, K, reorder, to_search).indices

    def setting(to_search: int, reorder: int) -> Setting:
        told = tf.constant(to_search), tf.constant(reorder)
        numbers = {"leaves_to_search": to_search, "reorder": reorder}
        return Setting(numbers, lambda queries: padded(search(tf.constant(queries), *told).numpy()))

    return [setting(count, reorder) for reorder in REORDERS for count in TO_SEARCH if count < leaves]


def padded(found: np.ndarray) -> np.ndarray:
    """Few leaves may hold fewer than 10 items."""
    return np.pad(found, [(0, 0), (0, K - found.shape[1])], constant_values=-1)


def brute_force(items: np.ndarray) -> list[Setting]:
    """The layer as it is."""
    layer = tfrs.layers.factorized_top_k.BruteForce(k=K).index(tf.constant(items))
    search = tf.function(lambda queries: layer(queries)[1], input_signature=[tf.TensorSpec([None, DIM])])
    return [Setting({}, lambda queries: search(tf.constant(queries)).numpy())]


BUILDS = {"TFRS ScaNN": scann, "TFRS BruteForce": brute_force}


def main() -> None:
    """Build, then search as the worker says."""
    worker = Worker()
    worker.versions("tensorflow-recommenders", "tf_keras", "tensorflow", "scann")
    work(worker, lambda: BUILDS[worker.variant](index_data.read(worker.path, "items")))


main()
