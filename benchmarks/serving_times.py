"""Raw query columns, and how long requests take; NumPy is all that it needs."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def columns_of(folder: Path) -> dict[str, list]:
    """Raw query columns, one entry a request."""
    return json.loads((folder / "requests.json").read_text())


def timed(ask: Callable[[int], object], count: int) -> dict[str, float]:
    """Median and 99th percentile in milliseconds, of requests one after another."""
    times = np.empty(count)
    for number in range(count):
        begun = time.perf_counter()
        ask(number)
        times[number] = time.perf_counter() - begun
    return {"p50_ms": 1_000 * float(np.median(times)), "p99_ms": 1_000 * float(np.percentile(times, 99))}
