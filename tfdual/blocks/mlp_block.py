"""Dense layers one after another."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfdual._build import build_chain, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block
from tfdual.blocks.named_inputs import as_vector, vector_shape
from tfdual.blocks.named_layers import (
    as_normalization,
    check_dropout,
    dense_layers,
    dropout_layers,
    normalization_layers,
)

Activation = str | Callable | None


@register
class MLPBlock(Block):
    """Multi-layer perceptron: for each width a Dense layer, then normalisation and dropout where asked for.

    `x_{l+1} = dropout(activation(normalization(x_l W_l + b_l)))`

    Args:
        dimensions: sequence of int. Units of each layer.
        activation: str or callable of Keras, or a sequence of these, one for each layer. Defaults to `"relu"`.
        use_bias: bool. Defaults to `True`.
        dropout: float. Share of units dropped after each layer but the last. Defaults to 0.
        normalization: `"layer"`, `"batch"` (or `"batch_norm"`), or a Keras layer, copied for each place; before each
            activation. Defaults to `None`.
        no_activation_last_layer: bool. Leave the last layer linear, and not normalised. Defaults to `False`.
        kernel_initializer: initialiser of Keras. Defaults to `"glorot_uniform"`.
        bias_initializer: initialiser of Keras. Defaults to `"zeros"`.
        kernel_regularizer: regulariser of Keras. Defaults to `None`.
        bias_regularizer: regulariser of Keras. Defaults to `None`.

    Input: `(..., width)`, or a dict of such, concatenated in the order of their names.
    Output: `(..., dimensions[-1])`.

    Raises:
        ValueError: no dimension, one below 1, dropout outside [0, 1), an unknown activation or normalisation, another
            number of activations than of layers.

    Example:
        >>> tuple(MLPBlock([128, 64])(keras.ops.ones((2, 10))).shape)
        (2, 64)

    Reference: NVIDIA Merlin Models, `MLPBlock`
    """

    def __init__(
        self,
        dimensions: Sequence[int],
        activation: Activation | Sequence[Activation] = "relu",
        use_bias: bool = True,
        dropout: float = 0.0,
        normalization: str | keras.layers.Layer | None = None,
        no_activation_last_layer: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not dimensions or min(dimensions) < 1:
            raise ValueError(f"MLPBlock needs at least one dimension, each at least 1. Received {list(dimensions)}.")
        self.dimensions = list(dimensions)
        self.activation: Any = list(activation) if isinstance(activation, list | tuple) else activation
        self.use_bias = use_bias
        self.dropout = check_dropout(dropout)
        self.normalization = as_normalization(normalization)
        self.no_activation_last_layer = no_activation_last_layer
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self._check_activations()

    def _check_activations(self) -> None:
        activations = self._activations()
        if len(activations) != len(self.dimensions):
            raise ValueError(
                f"MLPBlock takes one activation, or one for each of its {len(self.dimensions)} layers. "
                f"Received {len(activations)}: {activations}."
            )
        for activation in activations:
            keras.activations.get(activation)

    def _activations(self) -> list[Activation]:
        given = self.activation
        return list(given) if isinstance(given, list) else [given] * len(self.dimensions)

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        self.layers = [layer for place in range(len(self.dimensions)) for layer in self._one_layer(place)]
        build_chain(self.layers, vector_shape(input_shape))

    def _one_layer(self, place: int) -> list[keras.layers.Layer]:
        last = place == len(self.dimensions) - 1
        linear = last and self.no_activation_last_layer
        activation = None if linear else self._activations()[place]
        normalization = normalization_layers(None if linear else self.normalization, place, self.dtype_policy)
        activate = []
        if isinstance(activation, keras.layers.Layer):
            activate = [fresh_copy(activation, f"activation_{place}")]
        elif normalization:
            activate = [keras.layers.Activation(activation, name=f"activation_{place}", dtype=self.dtype_policy)]
        dense = dense_layers(
            self.dimensions[place],
            None,
            place,
            self.use_bias,
            activation=None if activate else activation,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            dtype=self.dtype_policy,
        )
        dropout = [] if last else dropout_layers(self.dropout, place, self.dtype_policy)
        return [*dense, *normalization, *activate, *dropout]

    def call(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        found = as_vector(inputs)
        for layer in self.layers:
            found = layer(found)
        return found

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        return (*vector_shape(input_shape)[:-1], self.dimensions[-1])

    def get_config(self) -> dict:
        given = self.activation
        serialize = keras.initializers.serialize
        return super().get_config() | {
            "dimensions": list(self.dimensions),
            "activation": [_serialized(a) for a in given] if isinstance(given, list) else _serialized(given),
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "normalization": serialized(self.normalization),
            "no_activation_last_layer": self.no_activation_last_layer,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }


def _serialized(activation: Activation) -> str | dict | None:
    if activation is None or isinstance(activation, str):
        return activation
    return keras.activations.serialize(activation)
