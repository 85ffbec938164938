"""A two-tower of ids, whose tables have as many rows as the variant is called."""

import keras
import numpy as np
import synthetic
import tensorflow as tf
from worker import Worker

from tfdual import ColumnSchema, EmbeddingOptions, LazyAdam, MLPBlock, Schema, Tags, TwoTowerBlock, TwoTowerModel

BATCHES = 50


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras")
    keras.utils.set_random_seed(0)
    rows = int(worker.variant)
    columns = [
        ColumnSchema(name, [tag], {"domain": {"name": name, "min": 0, "max": rows - 1}})
        for name, tag in (("user_id", Tags.USER_ID), ("item_id", Tags.ITEM_ID))
    ]
    options = EmbeddingOptions(embedding_dim_default=synthetic.DIM)
    towers = TwoTowerBlock(Schema(columns), MLPBlock(synthetic.UNITS), embedding_options=options)
    model = TwoTowerModel(towers, sampling_correction=False)
    model.compile(LazyAdam())
    draw = np.random.default_rng(0)
    ids = np.array([[draw.choice(rows, worker.batch, replace=False) for _ in range(BATCHES)] for _ in range(2)])
    data = tf.data.Dataset.from_tensor_slices({"user_id": ids[0], "item_id": ids[1]})
    model.fit(
        data.repeat(),
        steps_per_epoch=worker.settings["steps"],
        epochs=worker.rounds,
        callbacks=[worker.callback(keras.callbacks.Callback)],
        verbose=0,
    )


main()
