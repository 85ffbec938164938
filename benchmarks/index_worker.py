"""tfdual's indexes, searched in Python; a tuned one is also exported for the worker that serves it."""

import re
import resource

import index_data
import numpy as np
import tensorflow as tf
from index_data import DIM, K
from index_rounds import Setting, work
from worker import Worker

import tfdual


def scann(target: float, tuning_queries: np.ndarray | None) -> tfdual.ScaNN:
    """Tuned to a recall."""
    return tfdual.ScaNN(target_recall=target, tuning_queries=tuning_queries)


def pybind_alone(index: tfdual.ScaNN, numbers: dict[str, int], threads: int) -> Setting:
    """scann's own searcher of the same tree, with the tuned numbers and without anything of tfdual around it."""
    searcher = index._searcher._pybind
    leaves, reorder = numbers["leaves_to_search"], numbers["reorder"]

    def search(queries: np.ndarray) -> np.ndarray:
        if len(queries) == 1:
            return searcher.search(queries[0], K, reorder, leaves)[0][None]
        return searcher.search_batched_parallel(queries, K, reorder, leaves, -(-len(queries) // threads))[0]

    return Setting(numbers, search)


def exported(index: tfdual.index.Index, folder: str) -> None:
    """A SavedModel that searches the index."""
    module = tf.Module()
    module.resources = index.resources
    module.search = tf.function(
        lambda queries: index.search_positions(queries, K)[0], input_signature=[tf.TensorSpec([None, DIM])]
    )
    tf.saved_model.save(module, folder)


def main() -> None:
    """The variant's name ends in the recall or the type."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "scann")
    tuned = re.fullmatch(r"tfdual ScaNN (0\.\d+)", worker.variant)
    if tuned:
        given = index_data.read(worker.path, "tuning") if worker.settings["tuned_on"] == "queries" else None
        index = scann(float(tuned[1]), given)
    else:
        index = tfdual.BruteForce(dtype=worker.variant.split()[-1])

    def build() -> list[Setting]:
        index.build(index_data.read(worker.path, "items"))
        about = index.describe()
        numbers = {name: about[name] for name in ("leaves_to_search", "reorder") if name in about}
        public = Setting(numbers, lambda queries: index.search_positions(queries, K)[0].numpy())
        return [public, pybind_alone(index, numbers, worker.settings["threads"])] if tuned else [public]

    def finish() -> dict[str, float]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # without the export
        if tuned:
            exported(index, str(worker.path / f"model-{tuned[1]}"))
        return {"before_export_mb": peak}

    work(worker, build, finish)


main()
