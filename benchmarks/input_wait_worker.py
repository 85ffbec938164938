"""How long training waits for its rows: a round is `steps` steps, the wait for each batch and the step timed apart."""

import time

import keras
import tensorflow as tf
from tfdual_model import open_rows, two_tower
from worker import Worker


def main() -> None:
    """Train as the worker says."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "keras")
    keras.utils.set_random_seed(0)
    rows, prep = open_rows(worker.path)
    train = rows.batch(worker.batch, shuffle=True, seed=0, drop_remainder=True).map(prep).repeat()
    model = two_tower(prep)
    model.fit(train, steps_per_epoch=1, verbose=0)
    step = tf.function(model.train_step)
    batches = iter(train.prefetch(1))  # as `TwoTowerModel.fit` does
    for place in range(worker.rounds):
        worker.start(place)
        waited = 0.0
        for _ in range(worker.settings["steps"]):
            started = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - started
            loss = step(batch)["loss"]
            loss.numpy()
        worker.finish(waited=waited, steps=worker.settings["steps"], rows=worker.settings["steps"] * worker.batch)


main()
