"""The variants of tfdual: `fit` on rows of a Parquet file, and on tensors that are mapped already."""

import keras
import numpy as np
import synthetic
import tensorflow as tf
from worker import Worker

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, LazyAdam, MLPBlock, Preprocessor, Schema, Tags

IDS = {"user_id": Tags.USER_ID, "item_id": Tags.ITEM_ID}


def column(name: str) -> ColumnSchema:
    """The schema of one column, by its name."""
    side = Tags.USER if name.startswith("user") else Tags.ITEM
    if name not in synthetic.SIZES:
        return ColumnSchema(name, [side, Tags.CONTINUOUS], dtype="float32")
    return ColumnSchema(name, [IDS.get(name, side), Tags.CATEGORICAL])


def mapped(rows: tfdual.Rows, prep: Preprocessor) -> dict[str, np.ndarray]:
    """All rows through the preprocessor, in memory."""
    parts = [{name: value.numpy() for name, value in prep(batch).items()} for batch in rows.batch(65_536)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras", "numpy", "pyarrow")
    keras.utils.set_random_seed(0)
    schema = Schema([column(name) for name in (*synthetic.USER_COLUMNS, *synthetic.ITEM_COLUMNS)])
    rows = tfdual.read(worker.path, schema)
    prep = Preprocessor(schema).adapt(rows)
    if worker.variant == "tfdual, Parquet":
        train = rows.batch(worker.batch, shuffle=True, seed=0, drop_remainder=True).map(prep)
    else:
        train = tf.data.Dataset.from_tensor_slices(synthetic.cut(mapped(rows, prep), worker.batch)).prefetch(2)
    options = EmbeddingOptions(embedding_dim_default=synthetic.DIM)
    towers = tfdual.TwoTowerBlock(prep.schema, MLPBlock(synthetic.UNITS), embedding_options=options)
    model = tfdual.TwoTowerModel(towers, temperature=synthetic.TEMPERATURE)
    model.compile(optimizer=LazyAdam())
    model.fit(
        train.repeat(),
        steps_per_epoch=worker.steps,
        epochs=worker.rounds,
        callbacks=[worker.callback(keras.callbacks.Callback)],
        verbose=0,
    )


main()
