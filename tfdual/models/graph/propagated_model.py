"""A graph model after its last propagation."""

from tfdual._build import build_once
from tfdual._typing import Shape, Tensor
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.graph.node_vectors import NodeVectors
from tfdual.models.side import Side


class PropagatedModel(DualEncoder):
    """The embeddings that a graph model gave to all nodes, to look up: what is evaluated, indexed and served.

    Made by `GraphModel.freeze()`. It isn't trained, and isn't saved by Keras: a retriever that is made of it is
    exported, and the graph model is saved.

    Args:
        item_id: str. The column of item ids.
        query: NodeVectors. Of the queries' nodes.
        item: NodeVectors. Of the items' nodes.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.
    """

    def __init__(self, item_id: str, query: NodeVectors, item: NodeVectors) -> None:
        super().__init__(item_id, sampling_correction=False, trainable=False)
        self.query_nodes = query
        self.item_nodes = item

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        for nodes in (self.query_nodes, self.item_nodes):
            build_once(nodes)
        self.built = True

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The rows of the queries' nodes, `(batch, dim)`."""
        return _looked_up(self.query_nodes, inputs)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The rows of the items' nodes, `(batch, dim)`."""
        return _looked_up(self.item_nodes, inputs)

    @property
    def query_side(self) -> Side:
        """The queries' nodes."""
        return Side(self.query_nodes.columns, [self.query_nodes])

    @property
    def item_side(self) -> Side:
        """The items' nodes."""
        return Side(self.item_nodes.columns, [self.item_nodes])


def _looked_up(nodes: NodeVectors, inputs: dict[str, Tensor]) -> Tensor:
    if missing := [name for name in nodes.columns if name not in inputs]:
        raise ValueError(f"The batch lacks the columns {missing} of '{nodes.end.node_type}'. It has {sorted(inputs)}.")
    return nodes({name: inputs[name] for name in nodes.columns})
