"""A temperature that is trained."""

import math
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Tensor


@register
class LearnedTemperature(keras.layers.Layer):
    """What divides the scores, trained with the model, and never outside its bounds.

    `temperature = minimum * (maximum / minimum) ** sigmoid(w)`, so that steps of `w` change it by a factor, and it
    slows down near a bound instead of standing still there.

    Args:
        initial: float between the bounds. Defaults to `0.05`.
        minimum: float, above 0. Defaults to `0.01`.
        maximum: float. Defaults to `1.0`.

    Input: scores, of any shape.
    Output: the scores divided by the temperature, float32.

    Raises:
        ValueError: not `0 < minimum < initial < maximum`.

    Example:
        >>> temperature = LearnedTemperature(initial=0.1)
        >>> f"{float(temperature.value()):.2f} {float(temperature(ops.convert_to_tensor(2.0))):.1f}"
        '0.10 20.0'

    Reference: Radford et al., 2021, arXiv:2103.00020 (CLIP trains it, and clips it at 0.01)
    """

    def __init__(self, initial: float = 0.05, minimum: float = 0.01, maximum: float = 1.0, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not 0 < minimum < initial < maximum < math.inf:
            raise ValueError(
                f"A learned temperature starts between its bounds, 0 < minimum < initial < maximum. Received "
                f"minimum={minimum}, initial={initial}, maximum={maximum}."
            )
        self.initial = initial
        self.minimum = minimum
        self.maximum = maximum

    def build(self, input_shape: Any = None) -> None:
        share = math.log(self.initial / self.minimum) / math.log(self.maximum / self.minimum)
        start = keras.initializers.Constant(math.log(share / (1 - share)))
        self.logit = self.add_weight((), initializer=start, name="logit", dtype="float32", autocast=False)

    def value(self) -> Tensor:
        """The temperature, a float32 scalar."""
        build_once(self)
        return self.minimum * ops.power(self.maximum / self.minimum, ops.sigmoid(self.logit.value))

    def call(self, scores: Tensor) -> Tensor:
        return ops.cast(scores, "float32") / self.value()

    def compute_output_spec(self, scores: Any) -> keras.KerasTensor:
        return keras.KerasTensor(scores.shape, "float32")

    def get_config(self) -> dict:
        return super().get_config() | {"initial": self.initial, "minimum": self.minimum, "maximum": self.maximum}
