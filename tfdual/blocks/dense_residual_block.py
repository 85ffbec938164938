"""Dense layers, each of which adds to its input."""

from collections.abc import Callable
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
    check_positive,
    dense_layers,
    dropout_layers,
    normalization_layers,
)
from tfdual.blocks.residual_block import ResidualBlock
from tfdual.blocks.sequential_block import SequentialBlock


@register
class DenseResidualBlock(Block):
    """Residual multi-layer perceptron of the input's width.

    `x_{l+1} = activation(x_l + normalization(dropout(x_l W_l + b_l)))`, where `W_l = U_l V_l` with `low_rank_dim`.

    Normalisation is over the vector, and not, as Merlin's default is, over the batch: a row's result then does not
    depend on the other rows, which in-batch losses use as negatives, and is the same in training and in serving.

    Args:
        low_rank_dim: int. Width between two smaller matrices instead of one. Defaults to `None`: one full matrix.
        activation: str, callable, or a Keras layer, copied for each place; after the sum. Defaults to `"relu"`.
        use_bias: bool. Defaults to `True`.
        dropout: float. Share of units dropped. Defaults to 0.
        normalization: `"layer"`, `"batch"` (or `"batch_norm"`), a Keras layer, copied for each place, or None. Defaults
            to `"layer"`.
        depth: int. How many, each with weights of its own. Defaults to 1.

    Input: `(..., width)`, or a dict of such, concatenated in the order of their names.
    Output: `(..., width)`.

    Raises:
        ValueError: a size below 1, dropout outside [0, 1), an unknown activation or normalisation.

    Example:
        >>> tuple(DenseResidualBlock(low_rank_dim=2, depth=3)(keras.ops.ones((2, 10))).shape)
        (2, 10)

    Reference: He et al., 2015, arXiv:1512.03385; NVIDIA Merlin Models, `DenseResidualBlock`
    """

    def __init__(
        self,
        low_rank_dim: int | None = None,
        activation: str | Callable | None = "relu",
        use_bias: bool = True,
        dropout: float = 0.0,
        normalization: str | keras.layers.Layer | None = "layer",
        depth: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("DenseResidualBlock", low_rank_dim=low_rank_dim, depth=depth)
        self.low_rank_dim = low_rank_dim
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.dropout = check_dropout(dropout)
        self.normalization = as_normalization(normalization)
        self.depth = depth

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        shape = vector_shape(input_shape)
        self.layers = [self._residual(shape[-1], place) for place in range(self.depth)]
        build_chain(self.layers, shape)

    def _residual(self, width: int | None, place: int) -> ResidualBlock:
        dtype = self.dtype_policy
        added = [
            *dense_layers(width, self.low_rank_dim, place, self.use_bias, dtype=dtype),
            *dropout_layers(self.dropout, place, dtype),
            *normalization_layers(self.normalization, place, dtype),
        ]
        branch = SequentialBlock(added, name="added", dtype=dtype)
        activation = self.activation
        if isinstance(activation, keras.layers.Layer):
            activation = fresh_copy(activation, f"activation_{place}")
        return ResidualBlock(branch, activation, name=f"residual_{place}", dtype=dtype)

    def call(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        found = as_vector(inputs)
        for layer in self.layers:
            found = layer(found)
        return found

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape:
        return vector_shape(input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {
            "low_rank_dim": self.low_rank_dim,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "normalization": serialized(self.normalization),
            "depth": self.depth,
        }
