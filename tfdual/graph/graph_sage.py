"""Sample and aggregate."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.blocks import L2Norm
from tfdual.graph.graph_encoder import GraphEncoder, activation_of
from tfdual.graph.plan import Plan
from tfdual.graph.relation import Relation

AGGREGATORS = ("mean", "max")
COMBINATIONS = ("sum", "mean")


@register
class GraphSAGE(GraphEncoder):
    """A node's own vector and an aggregate of its neighbours', each through weights of their own.

    `h_v' = activation(W_type h_v + sum_r W_r aggregate_r + b_type)`, with one `W_r` for each relation that leads to the
    node, and for the way that it is read: a relational network where there are several. Each neighbour counts once,
    whatever its edge weighs, so that a part of the neighbours can stand for all: by `NeighbourSampler` in training. A
    node that isn't in the graph has an embedding too, from its columns and its neighbours.

    Args:
        units: the width of each layer. Defaults to `(64, 64)`.
        aggregator: `"mean"`, or `"max"`: of each dimension of the neighbours' vectors after a dense layer with a relu,
            the paper's pooling. Defaults to `"mean"`.
        combination: `"sum"` or `"mean"` of the relations. Defaults to `"sum"`.
        activation: name or function, after each layer but the last. Defaults to `"relu"`.
        normalize: bool. Vectors have the length 1 after each layer, as in the paper. Defaults to `True`.

    Raises:
        ValueError: no layer; an unknown aggregator or combination.

    Example:
        >>> GraphSAGE([32, 16], aggregator="max").num_layers
        2

    Reference: Hamilton et al., 2017, "Inductive representation learning on large graphs", arXiv:1706.02216;
        Schlichtkrull et al., 2018, arXiv:1703.06103 (relations)
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 64),
        aggregator: str = "mean",
        combination: str = "sum",
        activation: Any = "relu",
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not units:
            raise ValueError("GraphSAGE needs the width of at least one layer. Received none.")
        if aggregator not in AGGREGATORS or combination not in COMBINATIONS:
            raise ValueError(
                f"aggregator is one of {AGGREGATORS}, combination one of {COMBINATIONS}. Received {aggregator!r} and "
                f"{combination!r}."
            )
        self.units = tuple(units)
        self.aggregator = aggregator
        self.combination = combination
        self.activation = activation_of("GraphSAGE", activation)
        self.normalize = normalize
        self.unit = L2Norm(dtype=self.dtype_policy)

    @property
    def aggregation(self) -> str:
        """The mean or the maximum."""
        return self.aggregator

    @property
    def num_layers(self) -> int:
        """How many layers."""
        return len(self.units)

    def make(self, plan: Plan, widths: Mapping[str, int]) -> int:
        """Dense layers: for each type, for each relation, and before a maximum."""
        self.own: dict[str, keras.layers.Dense] = {}
        self.neighbours: dict[str, keras.layers.Dense] = {}
        self.pools: dict[str, keras.layers.Dense] = {}
        before = dict(widths)
        for layer, units in enumerate(self.units):
            for node_type in plan.types[layer + 1]:
                self.own[f"{layer} {node_type}"] = self._dense(units, before[node_type])
            for relation in plan.relations[layer]:
                width = before[relation.source]
                if self.aggregator == "max":
                    self.pools[f"{layer} {relation}"] = self._dense(units, width, activation="relu")
                    width = units
                self.neighbours[f"{layer} {relation}"] = self._dense(units, width, use_bias=False)
            before = dict.fromkeys(plan.types[layer + 1], units)
        return self.units[-1]

    def _dense(self, units: int, width: int, **options: Any) -> keras.layers.Dense:
        layer = keras.layers.Dense(units, dtype=self.dtype_policy, **options)
        build_once(layer, (None, width))
        return layer

    def message(self, layer: int, relation: Relation, source: Tensor) -> Tensor:
        """The vector itself, or what of it is pooled."""
        return source if self.aggregator == "mean" else self.pools[f"{layer} {relation}"](source)

    def update(
        self, layer: int, node_type: str, own: Tensor, incoming: Mapping[Relation, Tensor], training: bool | None
    ) -> Tensor:
        """The dense layers, the activation, the length."""
        found = self.own[f"{layer} {node_type}"](own)
        if incoming:
            sent = [self.neighbours[f"{layer} {relation}"](vectors) for relation, vectors in incoming.items()]
            found = found + sum(sent) / (len(sent) if self.combination == "mean" else 1)
        if layer < len(self.units) - 1:
            found = self.activation(found)
        return self.unit(found) if self.normalize else found

    def finish(self, layers: Sequence[Tensor]) -> Tensor:
        """The last layer's."""
        return layers[-1]

    def get_config(self) -> dict:
        return super().get_config() | {
            "units": list(self.units),
            "aggregator": self.aggregator,
            "combination": self.combination,
            "activation": keras.activations.serialize(self.activation),
            "normalize": self.normalize,
        }
