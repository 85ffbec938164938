"""A SavedModel in TensorFlow's C++ session, as a server runs it, asked for one query at a time."""

import json
import sys
import time

import numpy as np
from cpp_session import CppSession
from serving_times import columns_of, timed
from worker import Worker

FOLDERS = {"bare op, C++": "bare", "serving_default, C++": "artefact/1"}
OPTIONS = {"k": np.array([10], np.int32), "exclude": np.zeros((1, 0), np.int64)}


def row(values: list, number: int) -> np.ndarray:
    """One row of a raw column; a list has its own length, and one place where it is empty."""
    value = values[number]
    if isinstance(value, float):
        return np.array([value], np.float32)
    texts = (value or [""]) if isinstance(value, list) else [value]
    encoded = np.array([text.encode() for text in texts], object)
    return encoded[None] if isinstance(value, list) else encoded


def requests_of(worker: Worker) -> list[dict[str, np.ndarray]]:
    """Input name -> array, a dict a request."""
    if worker.variant == "bare op, C++":
        return [{"queries": vector[None]} for vector in np.load(worker.path / "embeddings.npy")]
    columns = columns_of(worker.path)
    count = len(next(iter(columns.values())))
    return [{name: row(values, number) for name, values in columns.items()} | OPTIONS for number in range(count)]


def main() -> None:
    """The warm-up loads and asks."""
    worker = Worker()
    worker.versions("tensorflow", "scann")
    worker.start(0)
    folder = FOLDERS[worker.variant]
    begun = time.perf_counter()
    session = CppSession(worker.path / folder, scann=True)
    ready = time.perf_counter()
    names = json.loads((worker.path / "tensor_names.json").read_text())[folder]
    fetches = list(names["outputs"].values())
    calls = [
        session.caller({names["inputs"][name]: array for name, array in request.items()}, fetches)
        for request in requests_of(worker)
    ]
    count = worker.settings["requests"]
    first = timed(lambda number: calls[number](), 1)["p50_ms"]
    timed(lambda number: calls[number](), count)
    assert "tensorflow" not in sys.modules
    worker.finish(load_seconds=ready - begun, first_ms=first)
    for place in range(1, worker.rounds):
        worker.start(place)
        worker.finish(**timed(lambda number: calls[number](), count))


main()
