"""Columns of every kind for `blocks.py`, and rows of them."""

from pathlib import Path

import numpy as np

CATEGORICAL = {f"category_{place:02}": int(size) for place, size in enumerate(np.geomspace(100, 100_000, 50))}
LISTS = {f"list_{place}": int(size) for place, size in enumerate(np.geomspace(1_000, 100_000, 5))}
DENSE = tuple(f"number_{place:02}" for place in range(20))
VECTORS = {f"vector_{place}": 32 for place in range(3)}
KINDS = {"categorical": CATEGORICAL, "id_list": LISTS, "dense": DENSE, "embedding": VECTORS}
MEAN_LENGTH = 10
DIM = 64
UNITS = (128, 64)


def write(path: Path, rows: int, seed: int = 0) -> None:
    """Write one batch: ids from 1 upwards, lists of Poisson length, some of them empty."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(1, size, rows) for name, size in CATEGORICAL.items()}
    columns |= {name: rng.normal(size=rows).astype(np.float32) for name in DENSE}
    columns |= {name: rng.normal(size=(rows, width)).astype(np.float32) for name, width in VECTORS.items()}
    for name, size in LISTS.items():
        lengths = rng.poisson(MEAN_LENGTH, rows) * (rng.random(rows) > 0.05)
        columns |= {f"{name}_lengths": lengths, name: rng.integers(1, size, lengths.sum())}
    np.savez(path, **columns)
