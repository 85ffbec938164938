"""A variant of `blocks.py`: gradients of a tower's weights, or a step of SGD with them."""

import time
from statistics import median

import blocks_columns
import blocks_towers
import keras
import tensorflow as tf
from worker import Worker


def step_of(tower: keras.Model, train: bool, rows: int) -> tf.types.experimental.PolymorphicFunction:
    """The compiled function that is measured: the loss is the output times a constant, summed."""
    factors = tf.random.stateless_normal((rows, blocks_columns.UNITS[-1]), seed=(0, 0))
    optimizer = keras.optimizers.SGD(0.01)
    if train:
        optimizer.build(tower.trainable_variables)

    @tf.function
    def step(batch: dict) -> tuple:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tower(batch) * factors)
        weights = tower.trainable_variables
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        if not train:
            return loss, gradients
        optimizer.apply(gradients, weights)
        return loss

    return step


def main() -> None:
    """The warm-up makes the tower and calls it once; a round is many calls."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras")
    keras.utils.set_random_seed(0)
    library, _, optimizer = worker.variant.partition(", ")
    batches = [blocks_towers.read(path) for path in sorted(worker.path.glob("*.npz"))]
    worker.start(0)
    started = time.perf_counter()
    tower = blocks_towers.TOWERS[library]()
    built = time.perf_counter()
    step = step_of(tower, bool(optimizer), worker.batch)
    tf.nest.map_structure(lambda tensor: tensor.numpy(), step(batches[0]), expand_composites=True)
    called = time.perf_counter()
    nodes = len(step.get_concrete_function(batches[0]).graph.get_operations())
    for batch in batches:
        step(batch)
    worker.finish(build=built - started, first_call=called - built, nodes=nodes)
    for place in range(1, worker.rounds):
        worker.start(place)
        seconds = [timed(step, batches[number % len(batches)]) for number in range(worker.settings["steps"])]
        worker.finish(milliseconds=1000 * median(seconds))


def timed(step: tf.types.experimental.PolymorphicFunction, batch: dict) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    tf.nest.flatten(step(batch))[0].numpy()
    return time.perf_counter() - started


main()
