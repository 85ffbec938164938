"""A number -> a vector, by learnt sines and cosines."""

import math
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor


@register
class PeriodicEncoder(keras.layers.Layer):
    """Sines and cosines of learnt frequencies, then a Dense layer.

    `out = activation(W [sin(2 pi c x), cos(2 pi c x)] + b)`, where the frequencies `c` start from a normal
    distribution of the deviation `sigma`. With `"relu"` it is the paper's PLR, with `None` its PL, and without `dim`
    its P: sines and cosines alone. They are computed in float32.

    Args:
        dim: int. Width of the output. Defaults to `None`: no Dense layer, and the width `2 * num_frequencies`.
        num_frequencies: int. Defaults to 48.
        sigma: float. How fast the functions vary: the paper's most important setting; for numbers of variance 1, try
            0.01 to 1. Defaults to 0.01.
        activation: str. Of the Dense layer. Defaults to `"relu"`.
        seed: int. Of the frequencies. Defaults to `None`.

    Input: `(batch, 1)`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: a size below 1, a sigma that isn't above 0, an input of another width.

    Example:
        >>> tuple(PeriodicEncoder(8)(ops.ones((2, 1))).shape)
        (2, 8)

    Reference: Gorishniy et al., 2022, arXiv:2203.05556
    """

    def __init__(
        self,
        dim: int | None = None,
        num_frequencies: int = 48,
        sigma: float = 0.01,
        activation: str | None = "relu",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if num_frequencies < 1 or (dim is not None and dim < 1):
            raise ValueError(f"num_frequencies and dim are at least 1. Received {num_frequencies} and {dim}.")
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma is above 0. Received {sigma}.")
        self.dim = dim
        self.num_frequencies = num_frequencies
        self.sigma = sigma
        self.activation = activation
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] != 1:
            raise ValueError(f"PeriodicEncoder takes one number a row, (batch, 1). Received the shape {input_shape}.")
        normal = keras.initializers.RandomNormal(stddev=self.sigma, seed=self.seed)
        self.frequencies = self.add_weight(
            (self.num_frequencies,), initializer=normal, dtype="float32", autocast=False, name="frequencies"
        )
        if self.dim is not None:
            self.linear = keras.layers.Dense(self.dim, self.activation, name="linear", dtype=self.dtype_policy)
            build_once(self.linear, (None, 2 * self.num_frequencies))

    def call(self, inputs: Tensor) -> Tensor:
        angles = 2 * math.pi * self.frequencies * ops.cast(inputs, "float32")  # (batch, num_frequencies)
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        waves = ops.cast(waves, self.compute_dtype)
        return waves if self.dim is None else self.linear(waves)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim or 2 * self.num_frequencies)

    def get_config(self) -> dict:
        return super().get_config() | {
            "dim": self.dim,
            "num_frequencies": self.num_frequencies,
            "sigma": self.sigma,
            "activation": self.activation,
            "seed": self.seed,
        }
