"""Adam that touches only the rows of the batch."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor


@register
class LazyAdam(keras.optimizers.Optimizer):
    """Adam whose update of an embedding table reads and writes the looked-up rows alone.

    For dense gradients it is Keras's `Adam`. For sparse ones (`tf.IndexedSlices`) repeated rows are summed, and
    moments and values of absent rows stay as they are, where Adam would go on decaying and moving them. Where every
    row is in the batch, both are equal. `weight_decay` and `gradient_accumulation_steps`, which are Keras's own, touch
    every row.

    Args:
        learning_rate: float or schedule. Defaults to 0.001.
        beta_1: float. Decay of the first moment. Defaults to 0.9.
        beta_2: float. Decay of the second moment. Defaults to 0.999.
        epsilon: float. Defaults to 1e-7.

    Example:
        >>> LazyAdam(1e-2).get_config()["beta_2"]
        0.999

    Reference: Kingma and Ba, 2015, arXiv:1412.6980; TensorFlow Addons, `LazyAdam`
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "lazy_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Tensor, variable: keras.Variable | tf.Variable, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        rate = self._corrected_rate(learning_rate, momentum.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            self._update_rows(gradient, variable, momentum, velocity, rate)
            return
        gradient = ops.cast(gradient, momentum.dtype)
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        self.assign_sub(variable, momentum * rate / (ops.sqrt(velocity) + self.epsilon))

    def _corrected_rate(self, learning_rate: Tensor, dtype: str) -> Tensor:
        """Learning rate times the correction of both moments' bias."""
        step = ops.cast(self.iterations + 1, dtype)
        correction = ops.sqrt(1 - ops.power(ops.cast(self.beta_2, dtype), step))
        return ops.cast(learning_rate, dtype) * correction / (1 - ops.power(ops.cast(self.beta_1, dtype), step))

    def _update_rows(
        self,
        gradient: tf.IndexedSlices,
        variable: keras.Variable | tf.Variable,
        momentum: keras.Variable,
        velocity: keras.Variable,
        rate: Tensor,
    ) -> None:
        summed = _sum_rows(gradient)
        rows, sums = summed.indices, tf.cast(summed.values, momentum.dtype)
        first = tf.gather(momentum.value, rows) * self.beta_1 + sums * (1 - self.beta_1)
        second = tf.gather(velocity.value, rows) * self.beta_2 + tf.square(sums) * (1 - self.beta_2)
        momentum.value.scatter_update(tf.IndexedSlices(first, rows))
        velocity.value.scatter_update(tf.IndexedSlices(second, rows))
        values = variable.value if isinstance(variable, keras.Variable) else variable
        values.scatter_sub(tf.IndexedSlices(rate * first / (tf.sqrt(second) + self.epsilon), rows))

    def _clip_gradients(self, grads: list) -> list:
        """Clip summed rows: Keras would take the norm of repeated rows apart, and make the gradient dense."""
        if not (self.clipnorm or self.global_clipnorm or self.clipvalue):
            return grads
        summed = [_sum_rows(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in grads]
        sparse = [isinstance(gradient, tf.IndexedSlices) for gradient in summed]
        values = [gradient.values if rows else gradient for gradient, rows in zip(summed, sparse, strict=True)]
        return [
            tf.IndexedSlices(value, gradient.indices, gradient.dense_shape) if rows else value
            for value, gradient, rows in zip(super()._clip_gradients(values), summed, sparse, strict=True)
        ]

    def get_config(self) -> dict:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def _sum_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient with each row once."""
    rows, places = tf.unique(gradient.indices)
    sums = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(sums, rows, gradient.dense_shape)
