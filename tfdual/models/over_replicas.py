"""What a model does where replicas of it share a batch."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._backend import replicas, summed_over_replicas


def build_replicas(model: keras.Model, build: Callable[[], None]) -> None:
    """Make the weights and the optimiser's slots in the scope of the model's strategy, where it has one.

    Keras would call the model on the mean of the replicas' columns, of texts and ragged lists too.
    """
    strategy = model._distribute_strategy
    if strategy is None:
        return
    with strategy.scope():
        build()
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)


def share_of_the_batch(rows: Any, weight: Any = None) -> Any:
    """What part of the whole batch's weight this replica's rows have, a scalar; all without a strategy.

    Args:
        rows: `(rows, ...)`.
        weight: `(rows,)`. Defaults to `None`: 1 for each row.
    """
    if replicas() == 1:
        return 1.0
    own = ops.cast(ops.shape(rows)[0] if weight is None else ops.sum(weight), "float32")
    return own / ops.maximum(summed_over_replicas(tf.convert_to_tensor(own)), 1e-12)
