"""What a model does where replicas of it share a batch."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._backend import replicas, summed_over_replicas


def first_of_replicas(model: keras.Model, batches: Iterable[tuple[int, int, Any]]) -> Any:
    """What the first replica has of the first batch. Keras's mean over replicas needs as many rows on each.

    Args:
        model: made in the scope of a strategy.
        batches: as Keras's trainer has them, each with the iterator to take it from.
    """
    _, _, rest = next(iter(batches))
    return keras.tree.map_structure(lambda of: model._distribute_strategy.experimental_local_results(of)[0], next(rest))


def report_whole_batches(model: keras.Model) -> None:
    """Let the loss that a model reports be that of whole batches, where it has a strategy."""
    if model._distribute_strategy is None or not model.compiled or isinstance(model._loss_tracker, LossOfReplicas):
        return
    with model._distribute_strategy.scope():
        tracker = LossOfReplicas(name="loss")
    object.__setattr__(model, "_loss_tracker", tracker)  # Keras would list it as a metric once more


class LossOfReplicas(keras.metrics.Mean):
    """Mean over the rows of a loss that the replicas of a batch add up to.

    Keras weighs the loss of each replica by the rows there, as if it were their mean.
    """

    def update_state(self, values: Any, sample_weight: Any) -> None:
        """Take in a batch.

        Args:
            values: this replica's part of the loss, times the replicas.
            sample_weight: how many rows it has.
        """
        rows = ops.cast(sample_weight, self.dtype)
        if replicas() > 1:
            rows = summed_over_replicas(rows) / replicas()
        super().update_state(values, rows)


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
