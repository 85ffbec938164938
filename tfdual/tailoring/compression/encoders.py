"""The encoders that a compressor usually has."""

from collections.abc import Sequence

import keras

from tfdual.blocks import MLPBlock, SequentialBlock


def linear_encoder(dim: int) -> MLPBlock:
    """One matrix: `y = x W`.

    Args:
        dim: int. Width of the output.

    Example:
        >>> tuple(linear_encoder(8)(keras.ops.ones((2, 12))).shape)
        (2, 8)
    """
    return MLPBlock([dim], use_bias=False, no_activation_last_layer=True)


def mlp_encoder(dimensions: Sequence[int], activation: str = "gelu") -> MLPBlock:
    """Hidden layers and a linear one: `mlp_encoder([768, 512])` is `y = gelu(x W_1 + b_1) W_2 + b_2`.

    Args:
        dimensions: sequence of int. The widths of the hidden layers, if any, and of the output.
        activation: str. Of the hidden layers. Defaults to `"gelu"`.

    Example:
        >>> tuple(mlp_encoder([10, 8])(keras.ops.ones((2, 12))).shape)
        (2, 8)
    """
    return MLPBlock(dimensions, activation, no_activation_last_layer=True)


def normalized_encoder(dim: int) -> SequentialBlock:
    """A matrix between normalisations: `y = LayerNorm(LeakyReLU(BatchNorm(LayerNorm(x) W + b)))`.

    Args:
        dim: int. Width of the output.

    Example:
        >>> tuple(normalized_encoder(8)(keras.ops.ones((2, 12))).shape)
        (2, 8)
    """
    layers = keras.layers
    return SequentialBlock(
        [
            layers.LayerNormalization(),
            layers.Dense(dim),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.LayerNormalization(),
        ]
    )
