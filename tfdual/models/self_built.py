"""What a model is whose weights are made without inputs."""

from typing import Any

import keras

from tfdual.models.over_replicas import report_whole_batches


class SelfBuiltModel(keras.Model):
    """A Keras model whose `build` needs no inputs: its schema, towers or encoders tell all widths.

    Keras would call it on the first batch instead: on several devices on the mean of the replicas' columns, of texts
    and ragged lists too, and where a checkpoint's weights are read, inside a graph.
    """

    def _build_unless_built(self) -> None:
        """Make the weights before they are asked for; a graph that runs can't."""
        if not self.built:
            with self.distribute_strategy.scope():
                self.build(None)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        report_whole_batches(self)
        strategy = self._distribute_strategy
        if strategy is None:
            return
        self._build_unless_built()
        if self.optimizer is not None:
            with strategy.scope():
                self.optimizer.build(self.trainable_variables)
