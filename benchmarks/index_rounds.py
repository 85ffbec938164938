"""What a worker of the index benchmark does: build once, then search by each of its settings, round by round."""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import index_data
import numpy as np
from worker import Worker

LEAST_SECONDS = 0.3  # of a measurement in batches; a short pass is repeated
WARM_UP = 2  # queries alone, before the first round


class Setting(NamedTuple):
    """A way to search what was built.

    Args:
        numbers: dict of name -> number, such as `{"leaves": 20}`.
        search: from queries `(batch, dim)` to positions `(batch, 10)`, both NumPy's.
    """

    numbers: dict[str, float]
    search: Callable[[np.ndarray], np.ndarray]


def work(worker: Worker, build: Callable[[], list[Setting]], finish: Callable[[], dict[str, float]] = dict) -> None:
    """Report the build and then the rounds; the warm-up builds, and searches a little.

    Args:
        worker: Worker, which has reported its versions.
        build: gives the settings to search by.
        finish: called at the end of the warm-up, not counted as building; gives more to report.
    """
    queries, exact = index_data.read(worker.path, "queries"), index_data.read(worker.path, "exact")
    batched, single = worker.settings["queries"][worker.variant]
    worker.start(0)
    started = time.perf_counter()
    settings = build()
    build_seconds = time.perf_counter() - started
    for setting in settings:
        _measured(setting, queries[: worker.batch], exact, worker.batch, WARM_UP)
    worker.finish(build_seconds=build_seconds, **finish())
    for place in range(1, worker.rounds):
        worker.start(place)
        report = {}
        for number, setting in enumerate(settings):
            values = _measured(setting, queries[:batched], exact, worker.batch, single) | setting.numbers
            report |= {f"{number}.{name}": value for name, value in values.items()}
        worker.finish(**report)


def _measured(setting: Setting, queries: np.ndarray, exact: np.ndarray, batch: int, single: int) -> dict[str, float]:
    """Recall, queries a second in batches, and milliseconds of one query alone."""
    passes, seconds, times = 0, 0.0, []
    while not passes or (single > WARM_UP and seconds < LEAST_SECONDS):
        started = time.perf_counter()
        found = [setting.search(queries[start : start + batch]) for start in range(0, len(queries), batch)]
        seconds += time.perf_counter() - started
        passes += 1
    for place in range(min(single, len(queries))):
        one = queries[place : place + 1]
        begun = time.perf_counter()
        setting.search(one)
        times.append(time.perf_counter() - begun)
    return {
        "recall": index_data.recall(np.concatenate(found), exact[: len(queries)]),
        "queries_per_second": passes * len(queries) / seconds,
        "one_query_ms": 1000 * median(times),
    }
