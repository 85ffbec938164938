"""The two-tower of Keras 3 alone, as its users write it: Embedding, Dense, the whole score matrix, Adam or Adagrad."""

import keras
import synthetic
import tensorflow as tf
from keras import ops
from worker import Worker

OPTIMIZERS = {"Keras, Adam": keras.optimizers.Adam, "Keras, Adagrad": keras.optimizers.Adagrad}


class Tower(keras.layers.Layer):
    """Embeddings and numbers side by side, then Dense layers."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.columns = columns
        self.tables = {
            name: keras.layers.Embedding(synthetic.SIZES[name], synthetic.DIM)
            for name in columns
            if name in synthetic.SIZES
        }
        self.dense = [keras.layers.Dense(units, "relu") for units in synthetic.UNITS]

    def call(self, inputs):
        vectors = ops.concatenate(
            [
                self.tables[name](inputs[name]) if name in self.tables else ops.expand_dims(inputs[name], -1)
                for name in self.columns
            ],
            axis=-1,
        )
        for layer in self.dense:
            vectors = layer(vectors)
        return vectors


class TwoTower(keras.Model):
    """In-batch softmax with sampling correction; accidental hits masked."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.item = Tower(synthetic.USER_COLUMNS), Tower(synthetic.ITEM_COLUMNS)

    def call(self, inputs):
        return self.query(inputs), self.item(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        query, item = y_pred
        scores = ops.matmul(query, ops.transpose(item)) / synthetic.TEMPERATURE - x[synthetic.LOG_PROBABILITY][None, :]
        ids, rows = x["item_id"], ops.arange(ops.shape(scores)[0])
        hits = ops.logical_and(ids[None, :] == ids[:, None], rows[None, :] != rows[:, None])
        scores = ops.where(hits, -float("inf"), scores)
        return ops.mean(keras.losses.sparse_categorical_crossentropy(rows, scores, from_logits=True))


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("keras", "tensorflow")
    keras.utils.set_random_seed(0)
    train = tf.data.Dataset.from_tensor_slices(synthetic.batches(worker.path, worker.batch)).prefetch(2)
    model = TwoTower()
    model.compile(optimizer=OPTIMIZERS[worker.variant]())
    model.fit(
        train.repeat(),
        steps_per_epoch=worker.settings["steps"],
        epochs=worker.rounds,
        callbacks=[worker.callback(keras.callbacks.Callback)],
        verbose=0,
    )


main()
