"""A SavedModel in a process that has TensorFlow and scann alone, asked for one query at a time."""

import sys
import time
from collections.abc import Callable

import numpy as np
import scann  # noqa: F401  its op must be there before the model is loaded
import tensorflow as tf
from serving_requests import dense_requests, examples, options
from serving_times import columns_of, timed
from worker import Worker

FOLDERS = {"bare op": "bare", "empty signature": "empty"}


def asker(worker: Worker, signatures: dict) -> Callable[[int], object]:
    """A request by its number, as the variant asks it."""
    if worker.variant == "bare op":
        vectors = [tf.constant(row[None]) for row in np.load(worker.path / "embeddings.npy")]
        return lambda number: signatures["serving_default"](queries=vectors[number])["position"].numpy()
    columns = columns_of(worker.path)
    if worker.variant == "serving_examples":
        messages = examples(columns)
        return lambda number: signatures["serving_examples"](examples=messages[number])["id"].numpy()
    requests = dense_requests(columns)
    if worker.variant == "embed_query":
        return lambda number: signatures["embed_query"](**requests[number])["embedding"].numpy()
    more = options()
    return lambda number: signatures["serving_default"](**requests[number], **more)["id"].numpy()


def main() -> None:
    """The warm-up loads and asks; a variant whose name begins with "cold" is only that."""
    worker = Worker()
    worker.versions("tensorflow", "scann")
    assert "tfdual" not in sys.modules
    folder = worker.path / FOLDERS.get(worker.variant, "artefact/1")
    worker.start(0)
    begun = time.perf_counter()
    loaded = tf.saved_model.load(str(folder))
    ready = time.perf_counter()
    ask = asker(worker, loaded.signatures)
    count = worker.settings["requests"]
    if worker.variant == "cold, warmed up":
        begun_warm = time.perf_counter()
        for number in range(1, 1 + worker.settings["warm_up"]):
            ask(number)
        warm = time.perf_counter() - begun_warm
    else:
        warm = 0.0
    first = timed(ask, 1)["p50_ms"]
    if not worker.variant.startswith("cold"):
        timed(ask, count)
    worker.finish(load_seconds=ready - begun, warm_up_seconds=warm, first_ms=first)
    for place in range(1, worker.rounds):
        worker.start(place)
        worker.finish(**timed(ask, count))


main()
