"""How far the two towers of `blocks.py` are apart where they have the same weights."""

import blocks_columns
import blocks_towers
import keras
import tensorflow as tf
from worker import Worker


def gradients(tower: keras.Model, batch: dict, tables: dict, factors: tf.Tensor) -> tuple[tf.Tensor, dict]:
    """The output, and the gradient of each table as a dense tensor."""
    weights = {name: table.trainable_variables[0].value for name, table in tables.items()}
    with tf.GradientTape() as tape:
        output = tower(batch)
        loss = tf.reduce_sum(output * factors)
    found = tape.gradient(loss, weights)
    return output, {name: tf.convert_to_tensor(gradient) for name, gradient in found.items()}


def main() -> None:
    """Report the largest differences of the output and of the tables' gradients."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras")
    keras.utils.set_random_seed(0)
    batch = blocks_towers.read(min(worker.path.glob("*.npz")))
    ours, theirs = blocks_towers.tfdual_tower(), blocks_towers.keras_tower()
    blocks_towers.copy_weights(ours, theirs)
    factors = tf.random.stateless_normal((worker.batch, blocks_columns.UNITS[-1]), seed=(0, 0))
    worker.start(0)
    output, found = gradients(ours, batch, ours.tables, factors)
    wanted_output, wanted = gradients(theirs, batch, theirs.tables, factors)
    largest = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in wanted.values())
    apart = max(float(tf.reduce_max(tf.abs(found[name] - wanted[name]))) for name in wanted)
    worker.finish(output=float(tf.reduce_max(tf.abs(output - wanted_output))), gradient=apart / largest)


main()
