"""The variants of tfdual: `fit` on rows of a Parquet file, and on tensors that are mapped already."""

import keras
import numpy as np
import synthetic
import tensorflow as tf
from tfdual_model import open_rows, two_tower
from worker import Worker

import tfdual


def mapped(rows: tfdual.Rows, prep: tfdual.Preprocessor) -> dict[str, np.ndarray]:
    """All rows through the preprocessor, in memory."""
    parts = [{name: value.numpy() for name, value in prep(batch).items()} for batch in rows.batch(65_536)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras", "numpy", "pyarrow")
    keras.utils.set_random_seed(0)
    rows, prep = open_rows(worker.path)
    if worker.variant == "tfdual, Parquet":
        train = rows.batch(worker.batch, shuffle=True, seed=0, drop_remainder=True).map(prep)
    else:
        train = tf.data.Dataset.from_tensor_slices(synthetic.cut(mapped(rows, prep), worker.batch)).prefetch(2)
    model = two_tower(prep)
    model.fit(
        train.repeat(),
        steps_per_epoch=worker.settings["steps"],
        epochs=worker.rounds,
        callbacks=[worker.callback(keras.callbacks.Callback)],
        verbose=0,
    )


main()
