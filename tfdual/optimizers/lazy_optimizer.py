"""What all optimisers do that touch only the rows of the batch."""

from abc import abstractmethod
from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from tfdual._typing import Tensor
from tfdual.optimizers.sparse_rows import nonzero_rows, on_summed_rows, over_replicas, sum_rows


class LazyOptimizer(keras.optimizers.Optimizer):
    """Abstract: an optimiser whose update of an embedding table reads and writes the rows of the batch alone.

    A subclass gives one formula, `updated`. A dense gradient applies it to a whole variable. A sparse one
    (`tf.IndexedSlices`) applies it to the rows that it names, each once with its repeats summed; values and slots of
    all other rows stay as they are, bit for bit.

    Keras's arguments, where a gradient is sparse:

    - `weight_decay` is decoupled, as in AdamW: `w = w - learning_rate * weight_decay * w` before the step, for the
      rows of the batch alone. A row that is seldom looked up decays seldom. `exclude_from_weight_decay` holds.
    - `clipnorm`, `global_clipnorm` and `clipvalue` see repeated rows summed, and give what the dense gradient gives;
      where replicas share a batch, that of the whole batch.
    - `gradient_accumulation_steps`: the rows of the batch are those whose gradient is not zero over the steps. Keras
      adds up in a variable as large as the table, and writes all of that each step.
    - `use_ema` is Keras's own: the average of each row of each table moves each step.
    - `loss_scale_factor` is refused by Keras, with a `TypeError`: wrap the optimiser in `LossScaleOptimizer` instead.

    Where every row is in the batch, all of this equals Keras for dense gradients.

    Args:
        learning_rate: float or schedule.

    Reference: Loshchilov and Hutter, 2019, arXiv:1711.05101 (decoupled weight decay)
    """

    @abstractmethod
    def add_slots(self, variables: list[keras.Variable]) -> Sequence[list[keras.Variable]]:
        """For each kind of slot, a list with the slot of each variable; its first axis is that of the variable."""

    @abstractmethod
    def updated(self, value: Tensor, slots: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        """The new value, followed by the new slots; all are of the same rows."""

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._slots = self.add_slots(variables)

    def update_step(self, gradient: Tensor, variable: keras.Variable | tf.Variable, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        written = [plain(kept) for kept in (variable, *(kind[index] for kind in self._slots))]
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = tf.cast(gradient, variable.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            gradient = sum_rows(gradient)
            rows = gradient.indices
            read = [tf.gather(kept, rows) for kept in written]
            for kept, new in zip(written, self._decayed_step(variable, read, gradient.values, rate), strict=True):
                kept.scatter_update(tf.IndexedSlices(new, rows))
            return
        read = [tf.convert_to_tensor(kept) for kept in written]
        for kept, new in zip(written, self._decayed_step(variable, read, gradient, rate), strict=True):
            kept.assign(new)

    def _decayed_step(self, variable: Tensor, read: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        value, *slots = read
        if self.weight_decay is not None and self._use_weight_decay(variable):
            value = value - value * ops.cast(self.weight_decay, value.dtype) * rate
        return self.updated(value, slots, gradient, rate)

    def _apply_weight_decay(self, variables: list) -> None:
        """Nothing: Keras would decay every row. `update_step` decays."""

    def _clip_gradients(self, grads: list) -> list:
        """Nothing: Keras would clip each replica's part of a gradient. `_all_reduce_sum_gradients` clips the sum."""
        return grads

    def _all_reduce_sum_gradients(self, grads_and_vars: list) -> list:
        """Clip summed rows: Keras would take the norm of repeated rows apart, and make the gradient dense."""
        grads, variables = zip(*grads_and_vars, strict=True)

        def added_up(gradients: list) -> list:
            pairs = super(LazyOptimizer, self)._all_reduce_sum_gradients(zip(gradients, variables, strict=True))
            return [gradient for gradient, _ in pairs]

        summed = over_replicas(added_up, list(grads))
        if self.clipnorm or self.global_clipnorm or self.clipvalue:
            summed = on_summed_rows(super()._clip_gradients, summed)
        return list(zip(summed, variables, strict=True))

    def _backend_apply_gradients(self, grads: list, trainable_variables: list) -> None:
        self._sparse = {
            self._var_key(variable)
            for gradient, variable in zip(grads, trainable_variables, strict=True)
            if isinstance(gradient, tf.IndexedSlices)
        }
        super()._backend_apply_gradients(grads, trainable_variables)

    def _backend_update_step(self, grads: list, trainable_variables: list, learning_rate: Tensor) -> None:
        """Keras adds up sparse gradients to dense ones: find their rows again."""
        if self.gradient_accumulation_steps:
            grads = [
                nonzero_rows(gradient) if self._var_key(variable) in self._sparse else gradient
                for gradient, variable in zip(grads, trainable_variables, strict=True)
            ]
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "LazyOptimizer":
        return super().from_config(dict(config), custom_objects)


def plain(variable: keras.Variable | tf.Variable) -> tf.Variable:
    """TensorFlow's variable, of which single rows can be read and written."""
    return variable.value if isinstance(variable, keras.Variable) else variable
