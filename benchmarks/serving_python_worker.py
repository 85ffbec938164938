"""`Retriever.search` of the loaded artefact: the same graph, with raw values in and NumPy out."""

import time

from serving_times import columns_of, timed
from worker import Worker

import tfdual


def main() -> None:
    """Measure as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "scann")
    worker.start(0)
    begun = time.perf_counter()
    retriever = tfdual.Retriever.load(worker.path / "artefact")
    loaded = time.perf_counter() - begun
    columns, count = columns_of(worker.path), worker.settings["requests"]
    requests = [{name: values[row : row + 1] for name, values in columns.items()} for row in range(count)]
    first = timed(lambda number: retriever.search(requests[number]), 1)["p50_ms"]
    timed(lambda number: retriever.search(requests[number]), count)
    worker.finish(load_seconds=loaded, first_ms=first)
    for place in range(1, worker.rounds):
        worker.start(place)
        worker.finish(**timed(lambda number: retriever.search(requests[number]), count))


main()
