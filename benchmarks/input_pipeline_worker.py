"""The variants of `input_pipeline.py`: a round is one pass over the rows."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import synthetic
import tensorflow as tf
from worker import Worker

import tfdual
from tfdual import ColumnSchema, Preprocessor, Schema, Tags

NAMES = (*synthetic.USER_COLUMNS, *synthetic.ITEM_COLUMNS)
TYPES = {name: tf.int64 if name in synthetic.SIZES else tf.float32 for name in NAMES}


def schema(text: bool) -> Schema:
    """Six ids, as integers or as strings, and two numbers."""
    ids = "string" if text else "int64"
    return Schema(
        ColumnSchema(name, [Tags.CATEGORICAL], dtype=ids)
        if name in synthetic.SIZES
        else ColumnSchema(name, [Tags.CONTINUOUS], dtype="float32")
        for name in NAMES
    )


def tfdual_batches(variant: str, path: Path, batch: int) -> tf.data.Dataset:
    """tfdual's pipeline, with or without shuffling and preprocessing."""
    text = "string" in variant
    rows = tfdual.read(path, schema(text))
    dataset = rows.batch(batch, shuffle="shuffled" in variant)
    if "vocabularies" in variant:
        dataset = dataset.map(Preprocessor(rows.schema).adapt(rows), num_parallel_calls=2).prefetch(2)
    return dataset


def csv_batches(path: Path, batch: int) -> tf.data.Dataset:
    """CSV as TensorFlow's and Keras's guides read it."""
    return tf.data.experimental.make_csv_dataset(
        str(path), batch, column_defaults=list(TYPES.values()), num_epochs=1, shuffle=True, prefetch_buffer_size=2
    )


def pandas_batches(path: Path, batch: int, rows: int) -> tf.data.Dataset:
    """A generator over the rows of a frame."""
    import pandas as pd

    frame = pd.read_parquet(path).head(rows)

    def generate() -> Iterator[dict]:
        for row in frame.itertuples(index=False):
            yield row._asdict()

    signature = {name: tf.TensorSpec([], dtype) for name, dtype in TYPES.items()}
    return tf.data.Dataset.from_generator(generate, output_signature=signature).shuffle(10_000).batch(batch).prefetch(2)


def batches(worker: Worker) -> tf.data.Dataset:
    """The dataset of the worker's variant."""
    settings = worker.settings
    if "make_csv" in worker.variant:
        return csv_batches(Path(settings["csv_path"]), worker.batch)
    if "pandas" in worker.variant:
        return pandas_batches(worker.path, worker.batch, settings["slow_rows"])
    path = Path(settings["string_path"]) if "string" in worker.variant else worker.path
    return tfdual_batches(worker.variant, path, worker.batch)


def resident_mb() -> float:
    """Memory in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    """Pass over the rows as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "numpy", "pyarrow", "pandas")
    dataset = batches(worker)
    for place in range(worker.rounds):
        worker.start(place)
        rows, resident, checked = 0, 0.0, time.monotonic()
        for batch in itertools.islice(dataset, None):
            rows += int(next(iter(batch.values())).shape[0])
            if time.monotonic() > checked + 0.1:
                resident, checked = max(resident, resident_mb()), time.monotonic()
        worker.finish(rows=rows, resident_mb=max(resident, resident_mb()))


main()
