"""Batches that are made ready while the one before is trained on."""

import tensorflow as tf


def read_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
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
