"""Light graph convolution."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.graph.graph_encoder import GraphEncoder, one_width
from tfdual.graph.plan import Plan
from tfdual.graph.relation import Relation


@register
class LightGCN(GraphEncoder):
    """Neighbours' vectors, nothing else: no weights, no activation. All that is trained are the initial vectors.

    `h_v^(k+1) = sum_u w_uv h_u^k / sqrt(degree_u degree_v)`, and the embedding is the mean of `h_v^0 .. h_v^layers`.

    Args:
        layers: int. Defaults to 3.

    Raises:
        ValueError: fewer than 1 layer; initial vectors of differing widths.

    Example:
        >>> LightGCN(layers=2).num_layers
        2

    Reference: He et al., 2020, "LightGCN: simplifying and powering graph convolution network for recommendation",
        arXiv:2002.02126
    """

    symmetric = True

    def __init__(self, layers: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if layers < 1:
            raise ValueError(f"LightGCN has at least 1 layer. Received {layers}.")
        self.layers = layers

    @property
    def aggregation(self) -> str:
        """The sum."""
        return "sum"

    @property
    def num_layers(self) -> int:
        """How many layers."""
        return self.layers

    def make(self, plan: Plan, widths: Mapping[str, int]) -> int:
        """Nothing: the width stays."""
        return one_width(widths, "LightGCN")

    def message(self, layer: int, relation: Relation, source: Tensor) -> Tensor:
        """The vector itself."""
        return source

    def update(
        self, layer: int, node_type: str, own: Tensor, incoming: Mapping[Relation, Tensor], training: bool | None
    ) -> Tensor:
        """The sum of what came."""
        return sum(incoming.values()) if incoming else ops.zeros_like(own)

    def finish(self, layers: Sequence[Tensor]) -> Tensor:
        """The mean of all layers."""
        return sum(layers) / len(layers)

    def get_config(self) -> dict:
        return super().get_config() | {"layers": self.layers}
