"""The least that a training step of the benchmark has to compute and to move."""

from itertools import pairwise
from pathlib import Path
from statistics import mean

import numpy as np
import synthetic

FLOAT = 4
PASSES = 3  # a product forward, and two backward: the gradient of either factor
ADAM = 6  # value and two moments, each read and written
STEPS = 20  # what distinct ids are counted of


def work(path: Path, batch: int) -> dict[str, float]:
    """Multiply-adds and bytes of a step that encodes and scores each item of its batch once.

    Bytes are those of table rows (looked up, their gradients summed, updated by Adam) and of activations (written
    and read forward, read backward with their gradients written and read). Weights of layers and blocks of scores
    stay in the cache.
    """
    columns = synthetic.batches(path, batch)
    steps = [
        {name: values[place] for name, values in columns.items()}
        for place in range(min(STEPS, len(columns["item_id"])))
    ]
    return {name: mean(one[name] for one in map(_work, steps)) for name in ("multiply_adds", "bytes")}


def _work(step: dict[str, np.ndarray]) -> dict[str, float]:
    items, first = np.unique(step["item_id"], return_index=True)
    pairs = len(step["item_id"])
    adds, moved = PASSES * pairs * len(items) * synthetic.DIM, 0
    for names, rows in ((synthetic.USER_COLUMNS, np.arange(pairs)), (synthetic.ITEM_COLUMNS, first)):
        tables = [name for name in names if name in synthetic.SIZES]
        widths = [synthetic.DIM * len(tables) + len(names) - len(tables), *synthetic.UNITS]
        adds += PASSES * len(rows) * sum(first * second for first, second in pairwise(widths))
        moved += 5 * FLOAT * len(rows) * sum(widths)
        touched = sum(len(np.unique(step[name][rows])) for name in tables)
        moved += FLOAT * synthetic.DIM * (2 * len(rows) * len(tables) + ADAM * touched)
    return {"multiply_adds": adds, "bytes": moved}


def limit(work: dict[str, float], machine: dict[str, float]) -> float:
    """Seconds of a step that computes and moves at the machine's own speed, one after the other."""
    return work["multiply_adds"] / machine["multiply_adds_per_second"] + work["bytes"] / machine["bytes_per_second"]
