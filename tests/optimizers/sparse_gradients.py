"""A small table, gradients of its rows, and a model of two towers to train."""

import keras
import numpy as np
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual.blocks import MLPBlock
from tfdual.models import TwoTowerModel
from tfdual.towers import TwoTowerBlock

ROWS, WIDTH = 6, 3


def table(seed: int = 0, width: int = WIDTH) -> keras.Variable:
    values = np.random.default_rng(seed).normal(size=(ROWS, width)).astype("float32")
    with keras.name_scope("items"):
        return keras.Variable(values, name="embeddings")


def sparse(rows: list[int], seed: int, width: int = WIDTH) -> tf.IndexedSlices:
    values = np.random.default_rng(seed).normal(size=(len(rows), width)).astype("float32")
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows, tf.int64), tf.constant([ROWS, width]))


def dense(gradient: tf.IndexedSlices) -> tf.Tensor:
    summed = np.zeros(gradient.dense_shape, "float32")
    np.add.at(summed, gradient.indices.numpy(), gradient.values.numpy())
    return tf.constant(summed)


def after(optimizer: keras.optimizers.Optimizer, gradients: list) -> np.ndarray:
    variable = table(width=gradients[0].shape[-1])
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
    return variable.numpy()


def slots(optimizer: keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    """What the optimiser keeps for each row, by its name."""
    found = {variable.path.rsplit("embeddings_", 1)[-1]: variable.numpy() for variable in optimizer.variables[2:]}
    assert len(found) == len(optimizer.variables[2:])
    assert {len(value) for value in found.values()} == {ROWS}
    return found


def model(optimizer: keras.optimizers.Optimizer, run_eagerly: bool = True) -> TwoTowerModel:
    keras.utils.set_random_seed(3)
    made = TwoTowerModel(TwoTowerBlock(SCHEMA, MLPBlock([8, 4]), embedding_options=OPTIONS))
    made.build()
    made.compile(optimizer, run_eagerly=run_eagerly)
    return made


def train(trained: TwoTowerModel, steps: int) -> list[float]:
    return [float(trained.train_on_batch(batch())) for _ in range(steps)]
