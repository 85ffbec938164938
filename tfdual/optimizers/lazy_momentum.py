"""Gradient descent with momentum that touches only the rows of the batch."""

from collections.abc import Sequence
from typing import Any

import keras

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.optimizers.lazy_optimizer import LazyOptimizer


@register
class LazyMomentum(LazyOptimizer):
    """SGD with momentum whose update of an embedding table reads and writes the looked-up rows alone.

    `m = momentum * m - learning_rate * g`, `w = w + m`; with Nesterov, `w = w + momentum * m - learning_rate * g`.

    For dense gradients it is Keras's `SGD`. For sparse ones (`tf.IndexedSlices`) repeated rows are summed, and an
    absent row neither moves on by its momentum nor loses it. Where every row is in the batch, both are equal.
    `LazyOptimizer` says what Keras's arguments do.

    Args:
        learning_rate: float or schedule. Defaults to 0.01.
        momentum: float, at least 0 and under 1. Defaults to 0.9.
        nesterov: bool. Look ahead by one step. Defaults to `False`.

    Raises:
        ValueError: `momentum` is out of its range.

    Example:
        >>> LazyMomentum(0.1, nesterov=True).momentum
        0.9

    Reference: Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning"
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        name: str = "lazy_momentum",
        **kwargs: Any,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and under 1. Received momentum={momentum}. Take e.g. 0.9.")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum
        self.nesterov = nesterov

    def add_slots(self, variables: list[keras.Variable]) -> Sequence[list[keras.Variable]]:
        return [self.add_optimizer_variables(variables, "momentum")]

    def updated(self, value: Tensor, slots: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        moved = slots[0] * self.momentum - gradient * rate
        return value + (moved * self.momentum - gradient * rate if self.nesterov else moved), moved

    def get_config(self) -> dict:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}
