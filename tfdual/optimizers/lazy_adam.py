"""Adam that touches only the rows of the batch."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.optimizers.lazy_optimizer import LazyOptimizer


@register
class LazyAdam(LazyOptimizer):
    """Adam whose update of an embedding table reads and writes the looked-up rows alone.

    `m = m + (1 - beta_1) * (g - m)`, `v = v + (1 - beta_2) * (g^2 - v)`,
    `w = w - learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)`, with `t` steps of the
    optimiser.

    For dense gradients it is Keras's `Adam`. For sparse ones (`tf.IndexedSlices`) repeated rows are summed, and
    moments and values of absent rows stay as they are, where Adam would go on decaying and moving them. Where every
    row is in the batch, both are equal. `LazyOptimizer` says what Keras's arguments do: `weight_decay` too touches
    the rows of the batch alone.

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

    def add_slots(self, variables: list[keras.Variable]) -> Sequence[list[keras.Variable]]:
        return self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def updated(self, value: Tensor, slots: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        momentum, velocity = slots
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        velocity = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
        wide = keras.backend.result_type(value.dtype, "float32")  # in bfloat16, 0.999 is 1
        step = ops.cast(self.iterations + 1, wide)
        correction = ops.sqrt(1 - ops.power(ops.cast(self.beta_2, wide), step))
        rate = ops.cast(rate, wide) * correction / (1 - ops.power(ops.cast(self.beta_1, wide), step))
        return value - ops.cast(rate, value.dtype) * momentum / (ops.sqrt(velocity) + self.epsilon), momentum, velocity

    def get_config(self) -> dict:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
