"""The batches that a model's `fit` takes."""

from typing import Any

import tensorflow as tf

from tfdual.data import Rows


def fit_rows(x: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What `fit` gets, ready for Keras's.

    Of a dataset, the next batch is made ready during a step; it has an order of its own, so `shuffle` is off for it,
    which Keras else warns of.

    Args:
        x: what `fit` got.
        settings: the other named arguments.

    Raises:
        TypeError: rows that aren't batches yet, to train on or as `validation_data`.
    """
    for name, given in {"x": x, "validation_data": settings.get("validation_data")}.items():
        if isinstance(given, Rows):
            raise TypeError(
                f"A model takes model-ready batches. Received the rows of `tfdual.read` as {name}; with the "
                f"preprocessor that was adapted to them: {name}=rows.batch(1_024).map(preprocessor)."
            )
    return (_read_ahead(x), {"shuffle": False} | settings) if isinstance(x, tf.data.Dataset) else (x, settings)


def _read_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, the next one made ready during a step.

    `AUTOTUNE` stands for its first value, as many as there are cores, unless the dataset's options say
    `autotune.enabled`. The thread by which TensorFlow 2.20 tunes sleeps longer and longer, and the end of an epoch may
    wait for it: 5 seconds were seen after 15, and 10 after epochs of a longer training.
    """
    dataset = dataset.prefetch(1)
    if dataset.options().autotune.enabled is not None:
        return dataset
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
