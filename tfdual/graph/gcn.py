"""Graph convolution."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.graph.graph_encoder import GraphEncoder, activation_of, one_width
from tfdual.graph.plan import Plan
from tfdual.graph.relation import Relation


@register
class GCN(GraphEncoder):
    """A node is the normalised sum of its neighbours and itself, through a dense layer that all nodes share.

    `h_v' = activation(W (h_v / d_v + sum_u w_uv h_u / sqrt(d_u d_v)) + b)`, with `d = degree + 1`.

    Types of nodes and of edges are not told apart: it is the convolution of the paper on one matrix of all nodes. For
    weights of their own take `GraphSAGE`. Whole neighbourhoods are needed, not sampled ones.

    Args:
        units: the width of each layer. Defaults to `(64, 64)`.
        activation: name or function, after each layer but the last. Defaults to `"relu"`.
        dropout: float. Share of the values that enter a layer to drop in training. Defaults to 0.

    Raises:
        ValueError: no layer; initial vectors of differing widths.

    Example:
        >>> GCN([32, 16]).num_layers
        2

    Reference: Kipf and Welling, 2017, "Semi-supervised classification with graph convolutional networks",
        arXiv:1609.02907
    """

    symmetric = True
    self_loops = True

    def __init__(
        self, units: Sequence[int] = (64, 64), activation: Any = "relu", dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not units:
            raise ValueError("GCN needs the width of at least one layer. Received none.")
        self.units = tuple(units)
        self.activation = activation_of("GCN", activation)
        self.dropout = dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    @property
    def aggregation(self) -> str:
        """The sum."""
        return "sum"

    @property
    def num_layers(self) -> int:
        """How many layers."""
        return len(self.units)

    def make(self, plan: Plan, widths: Mapping[str, int]) -> int:
        """A dense layer for each layer."""
        width = one_width({node_type: widths[node_type] for node_type in plan.types[0]}, "GCN")
        activations = [self.activation] * (len(self.units) - 1) + [None]
        self.kernels = []
        for units, activation in zip(self.units, activations, strict=True):
            self.kernels.append(keras.layers.Dense(units, activation, dtype=self.dtype_policy))
            build_once(self.kernels[-1], (None, width))
            width = units
        return width

    def message(self, layer: int, relation: Relation, source: Tensor) -> Tensor:
        """The vector itself."""
        return source

    def update(
        self, layer: int, node_type: str, own: Tensor, incoming: Mapping[Relation, Tensor], training: bool | None
    ) -> Tensor:
        """The dense layer of the sum."""
        return self.kernels[layer](self.drop(own + sum(incoming.values()), training=training))

    def finish(self, layers: Sequence[Tensor]) -> Tensor:
        """The last layer's."""
        return layers[-1]

    def get_config(self) -> dict:
        return super().get_config() | {
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
        }
