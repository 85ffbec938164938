"""FTRL-proximal that touches only the rows of the batch."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.optimizers.lazy_optimizer import LazyOptimizer


@register
class LazyFtrl(LazyOptimizer):
    """FTRL-proximal whose update of an embedding table reads and writes the looked-up rows alone.

    `n' = n + g^2`, `z = z + g + 2 * shrinkage * w - (n'^-power - n^-power) / learning_rate * w`, and
    `w = (clip(z, -l1, l1) - z) / (n'^-power / learning_rate + 2 * l2 + beta / learning_rate)`: weights whose `z` is
    no larger than `l1` become 0 exactly. Where the divisor is 0, the weight stays.

    For dense gradients it is Keras's `Ftrl`. For sparse ones (`tf.IndexedSlices`) repeated rows are summed, and an
    absent row stays as it is, also where Keras's would set it to what its `z` says: an initial value is replaced
    when its row is first looked up. Where every row is in the batch, both are equal. `LazyOptimizer` says what Keras's
    arguments do.

    Args:
        learning_rate: float or schedule. Defaults to 0.001.
        learning_rate_power: float, 0 or less; 0 for a rate that doesn't fall. Defaults to -0.5.
        initial_accumulator_value: float, 0 or more. What `n` starts from. Defaults to 0.1.
        l1_regularization_strength: float, 0 or more. Defaults to 0.0.
        l2_regularization_strength: float, 0 or more. Defaults to 0.0.
        l2_shrinkage_regularization_strength: float, 0 or more. L2 added to the loss. Defaults to 0.0.
        beta: float. The paper's beta. Defaults to 0.0.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> LazyFtrl(0.05, l1_regularization_strength=0.01).learning_rate_power
        -0.5

    Reference: McMahan et al., 2013, "Ad Click Prediction: a View from the Trenches"
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        name: str = "lazy_ftrl",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        arguments = self._arguments()
        if learning_rate_power > 0:
            raise ValueError(f"learning_rate_power must be 0 or less. Received {learning_rate_power}. Take e.g. -0.5.")
        below = {name: value for name, value in arguments.items() if name != "learning_rate_power" and value < 0}
        if below:
            raise ValueError(f"LazyFtrl needs values of 0 or more. Received {below}. Take 0.0 to leave one out.")

    def add_slots(self, variables: list[keras.Variable]) -> Sequence[list[keras.Variable]]:
        initial = keras.initializers.Constant(self.initial_accumulator_value)
        return self.add_optimizer_variables(variables, ["accumulator", "linear"], [initial, "zeros"])

    def updated(self, value: Tensor, slots: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        before, linear = slots
        accumulator = before + ops.square(gradient)
        root, root_before = (ops.power(squares, -self.learning_rate_power) for squares in (accumulator, before))
        shrunk = gradient + 2 * self.l2_shrinkage_regularization_strength * value
        linear = linear + shrunk - (root - root_before) / rate * value
        quadratic = (root + self.beta) / rate + 2 * self.l2_regularization_strength
        bound = self.l1_regularization_strength
        solved = ops.divide_no_nan(ops.clip(linear, -bound, bound) - linear, quadratic)
        return ops.where(quadratic == 0, value, solved), accumulator, linear

    def _arguments(self) -> dict[str, float]:
        return {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }

    def get_config(self) -> dict:
        return super().get_config() | self._arguments()
