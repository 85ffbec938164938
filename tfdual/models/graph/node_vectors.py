"""The embeddings of all nodes of a type, computed before."""

from typing import Any

import keras
from keras import ops

from tfdual._backend import take_rows
from tfdual._build import build_once, serialized
from tfdual._typing import Shape, Tensor
from tfdual.models.graph.node_ends import NodeEnd
from tfdual.models.graph.unseen_nodes import UnseenNodes


class NodeVectors(keras.layers.Layer):
    """A known node's row of a table. An unknown one has row 0, or is embedded.

    Args:
        end: NodeEnd. Which nodes.
        dim: int. Width of an embedding.
        unseen: UnseenNodes. What embeds unknown nodes. Defaults to `None`: they have row 0.
        last: float. One more number at the end of each embedding. Defaults to `None`.

    Input: dict of columns.
    Output: `(batch, dim)`.
    """

    def __init__(self, end: NodeEnd, dim: int, unseen: UnseenNodes | None = None, last: float | None = None) -> None:
        super().__init__(trainable=False, autocast=False, dtype="float32")
        self.end, self.dim, self.unseen, self.last = end, dim, unseen, last

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it reads."""
        return list(dict.fromkeys([self.end.column, *([] if self.unseen is None else self.unseen.columns)]))

    def build(self, input_shape: Shape | None = None) -> None:
        shape = (self.end.nodes, self.dim + (self.last is not None))
        self.table = self.add_weight(shape, "zeros", "float32", trainable=False, autocast=False, name="embeddings")
        if self.unseen is not None:
            build_once(self.unseen)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        ids = inputs[self.end.column]
        known = ops.logical_and(ids >= self.end.first_known, ids < self.end.nodes)
        rows = take_rows(self.table, ops.where(known, ids, 0))
        if self.unseen is None:
            return rows
        found, degrees = self.unseen(inputs)
        if self.last is not None:
            found = ops.concatenate([found, ops.full_like(found[:, :1], self.last)], axis=1)
        if self.unseen.tower is None:
            known = ops.logical_or(known, degrees == 0)  # nothing is known of it
        return ops.where(known[:, None], rows, found)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (None, self.dim + (self.last is not None))

    def get_config(self) -> dict[str, Any]:
        return {"column": self.end.column, "unseen": serialized(self.unseen), "last": self.last}
