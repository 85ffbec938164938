"""TensorFlow Recommenders, in an environment of its own: its metric, and its exact index."""

import os
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
from evaluate_data import K, read
from worker import Worker

METRIC_BATCH, SEARCH_BATCH = 2_048, 512  # the fastest of 64, 256, ..., 4,096
ITEM_BATCH = 4_096


def metric(items: np.ndarray):
    """`FactorizedTopK` as its tutorials make it, with candidates in batches of 4,096 where they take 128."""
    candidates = tf.data.Dataset.from_tensor_slices(items).batch(ITEM_BATCH)
    top_k = tfrs.metrics.FactorizedTopK(candidates, ks=(K,))
    vectors = tf.constant(items)

    @tf.function(input_signature=[tf.TensorSpec([None, items.shape[1]]), tf.TensorSpec([None], tf.int64)])
    def update(queries: tf.Tensor, positives: tf.Tensor) -> None:
        top_k.update_state(queries, tf.gather(vectors, positives))

    def run(queries: np.ndarray, positives: np.ndarray) -> float:
        top_k.reset_states()
        for start in range(0, len(queries), METRIC_BATCH):
            update(queries[start : start + METRIC_BATCH], positives[start : start + METRIC_BATCH])
        return float(top_k.result()[0])

    return run


def brute_force(items: np.ndarray):
    """The layer `BruteForce`."""
    index = tfrs.layers.factorized_top_k.BruteForce(k=K).index(tf.constant(items))
    search = tf.function(lambda queries: index(queries), input_signature=[tf.TensorSpec([None, items.shape[1]])])

    def run(queries: np.ndarray, positives: np.ndarray) -> float:
        blocks = range(0, len(queries), SEARCH_BATCH)
        found = np.concatenate([search(queries[start : start + SEARCH_BATCH])[1].numpy() for start in blocks])
        return float((found == positives[:, None]).any(axis=1).mean())

    return run


VARIANTS = {"TFRS, FactorizedTopK": metric, "TFRS, BruteForce": brute_force}


def main() -> None:
    """Answer the queries as the worker says; the warm-up takes a few."""
    worker = Worker()
    worker.versions("tensorflow-recommenders", "tf_keras", "tensorflow")
    items, queries, positives = read(worker.path, worker.settings["queries"][worker.variant])
    run = VARIANTS[worker.variant](items)
    del items
    for place in range(worker.rounds):
        count = len(queries) if place else worker.settings["warm_up"]
        worker.start(place)
        started = time.process_time()
        recall = run(queries[:count], positives[:count])
        worker.finish(recall=recall, queries=count, cpu=time.process_time() - started)


main()
