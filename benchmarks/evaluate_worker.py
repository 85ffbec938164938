"""Searches of the whole corpus by tfdual, and the matrix product alone; a round takes all queries once."""

import time

import numpy as np
import tensorflow as tf
from evaluate_data import K, read
from machine import multiply_adds_per_second
from worker import Worker

import tfdual
from tfdual.models import DualEncoder, Side

BATCH = 4_096
SCORES_AT_ONCE = 1 << 26


def search(items: np.ndarray):
    """`BruteForce.search`, all queries in one call."""
    index = tfdual.BruteForce().build(items)

    def run(queries: np.ndarray, positives: np.ndarray) -> dict[str, float]:
        found = index.search_positions(tf.constant(queries), K)[0].numpy()
        return {"recall": float((found == positives[:, None]).any(axis=1).mean())}

    return run


class Embedded(DualEncoder):
    """A model whose embeddings stand in a column."""

    query_side = item_side = Side(["vector"], [])

    def encode_query(self, inputs: dict[str, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        return inputs["vector"]

    encode_item = encode_query


def evaluate(items: np.ndarray):
    """`tfdual.evaluate`: index, search and metrics."""
    model = Embedded("item_id")
    corpus = dataset(np.arange(1, len(items) + 1), items)

    def run(queries: np.ndarray, positives: np.ndarray) -> dict[str, float]:
        report = tfdual.evaluate(model, dataset(positives + 1, queries), corpus, ks=(K,))
        return {"recall": float(report[f"recall@{K}"])}

    return run


def dataset(ids: np.ndarray, vectors: np.ndarray) -> tf.data.Dataset:
    """Batches of ids and vectors."""
    ids, vectors = tf.constant(ids), tf.constant(vectors)
    starts = tf.data.Dataset.range(0, len(ids), BATCH)
    return starts.map(lambda at: {"item_id": ids[at : at + BATCH], "vector": vectors[at : at + BATCH]})


def product(items: np.ndarray):
    """Scores in blocks of at most 256 MiB and the best of each row: less than any exact search does."""
    columns = tf.Variable(np.ascontiguousarray(items.T))
    at_once = max(1, min(256, SCORES_AT_ONCE // len(items)))

    @tf.function(input_signature=[tf.TensorSpec([None, items.shape[1]])])
    def best(queries: tf.Tensor) -> tf.Tensor:
        blocks = tf.reshape(queries[: tf.shape(queries)[0] // at_once * at_once], [-1, at_once, items.shape[1]])
        block_best = lambda block: tf.reduce_max(tf.matmul(block, columns), axis=1)  # noqa: E731
        whole = tf.map_fn(block_best, blocks, parallel_iterations=2)
        return tf.concat([tf.reshape(whole, [-1]), block_best(queries[tf.size(whole) :])], axis=0)

    def run(queries: np.ndarray, positives: np.ndarray) -> dict[str, float]:
        return {"best": float(best(tf.constant(queries)).numpy().mean())}

    return run


VARIANTS = {"tfdual, search": search, "tfdual, evaluate": evaluate, "product": product}


def main() -> None:
    """Answer the queries as the worker says; the warm-up takes a few."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow")
    items, queries, positives = read(worker.path, worker.settings["queries"][worker.variant])
    run = VARIANTS[worker.variant](items)
    cached = multiply_adds_per_second(items.shape[1]) if worker.variant == "product" else 0.0
    del items
    for place in range(worker.rounds):
        count = len(queries) if place else worker.settings["warm_up"]
        worker.start(place)
        started = time.process_time()
        found = run(queries[:count], positives[:count])
        worker.finish(**found, queries=count, cpu=time.process_time() - started, multiply_adds_in_cache=cached)


main()
