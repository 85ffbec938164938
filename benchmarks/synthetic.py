"""Rows for the benchmarks: users, items of Zipf popularity, features of both."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIZES = {"user_id": 100_000, "item_id": 50_000} | dict.fromkeys(
    ("user_city", "user_device", "item_brand", "item_category"), 1_000
)
USER_COLUMNS = ("user_id", "user_city", "user_device", "user_age")
ITEM_COLUMNS = ("item_id", "item_brand", "item_category", "item_price")
LOG_PROBABILITY = "item_id_log_probability"
DIM = 64
UNITS = (128, 64)
TEMPERATURE = 0.05


def write(path: Path, rows: int, seed: int = 0) -> None:
    """Write `rows` rows as Parquet: users at random, item `r` as often as `1 / (r + 1)`; ids are 0 .. size - 1."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, SIZES["item_id"] + 1)
    ids = {
        "user": rng.integers(0, SIZES["user_id"], rows),
        "item": rng.choice(SIZES["item_id"], rows, p=popularity / popularity.sum()),
    }
    columns = {}
    for name in (*USER_COLUMNS, *ITEM_COLUMNS):
        side, feature = name.split("_")
        if feature == "id":
            columns[name] = ids[side]
        elif name in SIZES:
            columns[name] = rng.integers(0, SIZES[name], SIZES[f"{side}_id"])[ids[side]]
        else:
            columns[name] = rng.normal(size=SIZES[f"{side}_id"]).astype(np.float32)[ids[side]]
    pq.write_table(pa.table(columns), path, row_group_size=131_072)


def batches(path: Path, size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The rows of `write`, shuffled once and cut into batches, with the items' log-probability: `(batches, size)`."""
    columns = {name: column.to_numpy() for name, column in zip(*_read(path), strict=True)}
    counts = np.bincount(columns["item_id"], minlength=SIZES["item_id"])
    logarithms = np.log(np.maximum(counts, 1) / counts.sum()).astype(np.float32)
    columns[LOG_PROBABILITY] = logarithms[columns["item_id"]]
    return cut(columns, size, seed)


def cut(columns: dict[str, np.ndarray], size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Shuffle rows once and cut them into whole batches: `(rows,)` -> `(batches, size)`."""
    rows = len(next(iter(columns.values())))
    order = np.random.default_rng(seed).permutation(rows)[: rows // size * size]
    return {name: column[order].reshape(-1, size) for name, column in columns.items()}


def _read(path: Path) -> tuple[list[str], list[pa.ChunkedArray]]:
    table = pq.read_table(path)
    return table.column_names, table.columns
