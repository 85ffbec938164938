"""TensorFlow Recommenders, in an environment of its own: the two-tower of its tutorials with Adam or Adagrad."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import synthetic
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras
from worker import Worker

OPTIMIZERS = {"TFRS, Adam": keras.optimizers.Adam, "TFRS, Adagrad": keras.optimizers.Adagrad}


class Tower(keras.Model):
    """Embeddings and numbers side by side, then Dense layers."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.columns = columns
        self.tables = {
            name: keras.layers.Embedding(synthetic.SIZES[name], synthetic.DIM)
            for name in columns
            if name in synthetic.SIZES
        }
        self.dense = keras.Sequential([keras.layers.Dense(units, "relu") for units in synthetic.UNITS])

    def call(self, inputs):
        return self.dense(
            tf.concat(
                [
                    self.tables[name](inputs[name]) if name in self.tables else inputs[name][:, None]
                    for name in self.columns
                ],
                axis=1,
            )
        )


class TwoTower(tfrs.Model):
    """Two towers and the Retrieval task, with sampling correction; accidental hits masked."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.item = Tower(synthetic.USER_COLUMNS), Tower(synthetic.ITEM_COLUMNS)
        self.task = tfrs.tasks.Retrieval(temperature=synthetic.TEMPERATURE, remove_accidental_hits=True)

    def compute_loss(self, features, training=False):
        return self.task(
            self.query(features),
            self.item(features),
            candidate_sampling_probability=tf.exp(features[synthetic.LOG_PROBABILITY]),
            candidate_ids=features["item_id"],
            compute_metrics=False,
        )


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tensorflow-recommenders", "tf_keras", "tensorflow")
    keras.utils.set_random_seed(0)
    train = tf.data.Dataset.from_tensor_slices(synthetic.batches(worker.path, worker.batch)).prefetch(2)
    model = TwoTower()
    model.compile(optimizer=OPTIMIZERS[worker.variant]())
    model.fit(
        train.repeat(),
        steps_per_epoch=worker.settings["steps"],
        epochs=worker.rounds,
        callbacks=[worker.callback(keras.callbacks.Callback, scale=1 / worker.batch)],  # TFRS sums over the batch
        verbose=0,
    )


main()
