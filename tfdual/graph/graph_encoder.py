"""What every encoder of nodes by their neighbours is."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._typing import Tensor
from tfdual.graph.plan import Plan
from tfdual.graph.relation import Relation


def activation_of(encoder: str, activation: Any) -> Callable[[Tensor], Tensor]:
    """The function that an encoder's argument `activation` names.

    Raises:
        ValueError: an unknown name; a layer, whose weights no layer of the encoder would make or keep.
    """
    if isinstance(activation, keras.layers.Layer):
        raise ValueError(
            f"{encoder} takes a name or a function for its activation, such as 'leaky_relu'. Received the layer "
            f"'{activation.name}' ({type(activation).__name__})."
        )
    return keras.activations.get(activation)


class GraphEncoder(keras.layers.Layer):
    """Layers in each of which a node takes in messages of its neighbours: `h_v' = update(h_v, gather(message(h_u)))`.

    It is a Keras layer for its weights, and has no `call`: a model calls `build_for` once, and the functions below for
    all nodes, for sampled ones, or for a node that isn't in the graph.

    Attributes:
        aggregation: `"sum"`, `"mean"` or `"max"` of the messages.
        symmetric: bool. Messages are divided by the root of the degree at both ends.
        self_loops: bool. A node is its own neighbour, by an edge of the weight 1.
        output_width: int. Of the last vectors; None before `build_for`.
    """

    symmetric: ClassVar[bool] = False
    self_loops: ClassVar[bool] = False
    output_width: int | None = None

    @property
    @abstractmethod
    def aggregation(self) -> str:
        """How messages become one vector."""

    @property
    @abstractmethod
    def num_layers(self) -> int:
        """How many layers."""

    @abstractmethod
    def make(self, plan: Plan, widths: Mapping[str, int]) -> int:
        """Make the weights.

        Args:
            plan: Plan. What each layer computes.
            widths: of the initial vectors, by the type of their nodes.

        Returns:
            The width of the last vectors.
        """

    @abstractmethod
    def message(self, layer: int, relation: Relation, source: Tensor) -> Tensor:
        """What nodes send along a relation: `(nodes, dim)` -> `(nodes, width)`."""

    @abstractmethod
    def update(
        self, layer: int, node_type: str, own: Tensor, incoming: Mapping[Relation, Tensor], training: bool | None
    ) -> Tensor:
        """The vectors of nodes after a layer.

        Args:
            layer: int, from 0.
            node_type: str.
            own: `(nodes, dim)`, their vectors before it; where there are self-loops, as much of it as stays.
            incoming: by relation, what they got: `(nodes, width)`.
            training: bool.
        """

    @abstractmethod
    def finish(self, layers: Sequence[Tensor]) -> Tensor:
        """A node's embedding, of its vectors before the first layer and after each."""

    def build_for(self, plan: Plan, widths: Mapping[str, int]) -> int:
        """Make the weights, once. The arguments and the result are those of `make`."""
        if self.output_width is None:
            self.output_width = self.make(plan, widths)
            self.built = True
            build_once(self)  # a frozen encoder: freezes what was made
        return self.output_width

    def share(self, degrees: Tensor) -> Tensor:
        """By what messages are multiplied at an end of this degree, `(nodes,)`."""
        degrees = ops.cast(degrees, "float32") + float(self.self_loops)
        return ops.where(degrees > 0, ops.rsqrt(ops.maximum(degrees, 1e-12)), 0.0)

    def kept(self, own: Tensor, degrees: Tensor) -> Tensor:
        """What a node keeps of itself by its self-loop."""
        return ops.cast(own, "float32") * ops.square(self.share(degrees))[:, None] if self.self_loops else own

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def one_width(widths: Mapping[str, int], who: str) -> int:
    """The width that the initial vectors of all types have.

    Raises:
        ValueError: they differ.
    """
    if len(set(widths.values())) != 1:
        raise ValueError(f"{who} adds up vectors of all types, which need one width. Received {dict(widths)}.")
    return next(iter(widths.values()))
