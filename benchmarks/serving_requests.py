"""What the workers of the serving benchmark ask, and how they time it; no package of ours is needed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def columns_of(folder: Path) -> dict[str, list]:
    """Raw query columns, one entry a request."""
    return json.loads((folder / "requests.json").read_text())


def options() -> dict[str, tf.Tensor]:
    """10 items, none excluded: what a server fills in for a request that says nothing."""
    return {"k": tf.constant([10]), "exclude": tf.zeros([1, 0], tf.int64)}


def dense_requests(columns: dict[str, list]) -> list[dict[str, tf.Tensor]]:
    """Each as tensors of one row; a list has its own length, and one place where it is empty."""
    count = len(next(iter(columns.values())))
    return [{name: tensor(values[row]) for name, values in columns.items()} for row in range(count)]


def tensor(value: Any) -> tf.Tensor:
    """One row."""
    return tf.constant([value or [""]] if isinstance(value, list) else [value])


def examples(columns: dict[str, list]) -> list[tf.Tensor]:
    """Each as a batch of one serialised `Example`."""
    made = []
    for row in range(len(next(iter(columns.values())))):
        example = tf.train.Example()
        for name, values in columns.items():
            feature, value = example.features.feature[name], values[row]
            if isinstance(value, float):
                feature.float_list.value.append(value)
            else:
                given = value if isinstance(value, list) else [value]
                feature.bytes_list.value.extend(part.encode() for part in given)
        made.append(tf.constant([example.SerializeToString()]))
    return made


def timed(ask: Callable[[int], object], count: int) -> dict[str, float]:
    """Median and 99th percentile in milliseconds, of requests one after another."""
    times = np.empty(count)
    for number in range(count):
        begun = time.perf_counter()
        ask(number)
        times[number] = time.perf_counter() - begun
    return {"p50_ms": 1_000 * float(np.median(times)), "p99_ms": 1_000 * float(np.percentile(times, 99))}
