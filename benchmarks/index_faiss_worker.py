"""Faiss: a graph of neighbours, and inverted lists with 4-bit codes that are scored again, by inner product."""

import math

import faiss
import index_data
import numpy as np
from index_data import DIM, K
from index_rounds import Setting, work
from worker import Worker

NEIGHBOURS, BUILD_BREADTH = 32, 200
BREADTHS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
LISTS, SAMPLE = 2_000, 250_000  # as many as scann's leaves and training vectors
PROBES = (1, 2, 4, 8, 16, 32, 64, 128)
FACTORS = (4, 10, 30)  # so many times 10 are scored again


def graph(items: np.ndarray) -> list[Setting]:
    """`IndexHNSWFlat`."""
    index = faiss.IndexHNSWFlat(DIM, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_BREADTH
    index.add(items)

    def setting(breadth: int) -> Setting:
        parameters = faiss.SearchParametersHNSW(efSearch=breadth)
        return Setting({"ef_search": breadth}, lambda queries: index.search(queries, K, params=parameters)[1])

    return [setting(breadth) for breadth in BREADTHS]


def lists(items: np.ndarray) -> list[Setting]:
    """Inverted lists, product codes of two numbers each for the fast scan, and exact scores of the best."""
    count = min(LISTS, 2 * math.isqrt(len(items)))
    index = faiss.index_factory(DIM, f"IVF{count},PQ{DIM // 2}x4fs,RFlat", faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).choice(len(items), min(SAMPLE, len(items)), replace=False)
    index.train(items[chosen])
    index.add(items)

    def setting(probes: int, factor: int) -> Setting:
        parameters = faiss.IndexRefineSearchParameters(
            k_factor=factor, base_index_params=faiss.SearchParametersIVF(nprobe=probes)
        )
        numbers = {"nprobe": probes, "k_factor": factor}
        return Setting(numbers, lambda queries: index.search(queries, K, params=parameters)[1])

    return [setting(probes, factor) for factor in FACTORS for probes in PROBES if probes < count]


BUILDS = {"faiss HNSW": graph, "faiss IVF-PQ": lists}


def main() -> None:
    """Build, then search as the worker says."""
    worker = Worker()
    worker.versions("faiss-cpu", "numpy")
    faiss.omp_set_num_threads(worker.settings["threads"])
    work(worker, lambda: BUILDS[worker.variant](index_data.read(worker.path, "items")))


main()
