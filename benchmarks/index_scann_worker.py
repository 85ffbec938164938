"""scann with the settings of its own example, and the leaves to search varied."""

import math

import index_data
import numpy as np
import scann
from index_data import K
from index_rounds import Setting, work
from worker import Worker

LEAVES = 2_000  # for the example's 1.18 million items; twice the square root for fewer
TO_SEARCH = (1, 2, 3, 4, 6, 9, 13, 20, 30, 45, 70, 100, 150, 250, 400)
SAMPLE = 250_000


def main() -> None:
    """Its example shares a batch among threads by itself no finer than 256 queries: here each thread has a part."""
    worker = Worker()
    worker.versions("scann", "numpy")
    threads = worker.settings["threads"]

    def build() -> list[Setting]:
        items = index_data.read(worker.path, "items")
        leaves = min(LEAVES, 2 * math.isqrt(len(items)))
        searcher = (
            scann.scann_ops_pybind.builder(items, K, "dot_product")
            .tree(num_leaves=leaves, num_leaves_to_search=leaves // 20, training_sample_size=min(len(items), SAMPLE))
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(100)
            .build()
        )
        return [setting(searcher, count) for count in TO_SEARCH if count < leaves]

    def setting(searcher: scann.scann_ops_pybind.ScannSearcher, leaves: int) -> Setting:
        def search(queries: np.ndarray) -> np.ndarray:
            if len(queries) == 1:
                return searcher.search(queries[0], leaves_to_search=leaves)[0][None]
            part = -(-len(queries) // threads)
            return searcher.search_batched_parallel(queries, leaves_to_search=leaves, batch_size=part)[0]

        return Setting({"leaves_to_search": leaves, "reorder": 100}, padded(search))

    work(worker, build)


def padded(search):
    """Few leaves may hold fewer than 10 items; then -1 stands in their places."""

    def filled(queries: np.ndarray) -> np.ndarray:
        found = search(queries)
        return np.pad(found.astype(np.int64), [(0, 0), (0, K - found.shape[1])], constant_values=-1)

    return filled


main()
