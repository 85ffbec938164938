"""Embeddings of nodes that a graph lacks."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfdual._build import serialized
from tfdual._typing import Shape, Tensor
from tfdual.graph import GraphEncoder, Relation
from tfdual.graph.plan import Plan
from tfdual.graph.propagate import over_given_neighbours
from tfdual.models.graph.node_ends import NodeEnd
from tfdual.towers import Tower

Messages = Sequence[Mapping[Relation, Tensor]]


class UnseenNodes(keras.layers.Layer):
    """The embedding of a node by its own columns and the list of its neighbours, as if it were in the graph.

    What the nodes of the graph send in each layer is kept in tables, and doesn't change by the new node.

    Args:
        end: NodeEnd. Which nodes, and the columns of their neighbours.
        counts: of the nodes, by type.
        encoder: GraphEncoder, built.
        plan: Plan. Of the encoder.
        width: int. Of the initial vectors.
        widths: for each layer, by relation, of what nodes send.
        tower: Tower. From the columns of nodes to their initial vectors. Defaults to `None`: these are zeros.
        post: Keras layer. The last step of an embedding. Defaults to `None`.

    Input: dict of columns.
    Output: `(batch, dim)`, and how many neighbours there are, `(batch,)`.
    """

    def __init__(
        self,
        end: NodeEnd,
        counts: Mapping[str, int],
        encoder: GraphEncoder,
        plan: Plan,
        width: int,
        widths: Sequence[Mapping[Relation, int]],
        tower: Tower | None = None,
        post: keras.layers.Layer | None = None,
    ) -> None:
        super().__init__(trainable=False, autocast=False, dtype="float32")
        self.end, self.counts, self.plan, self.width, self.widths = end, counts, plan, width, widths
        self.encoder, self.tower, self.post = encoder, tower, post
        self._relations = [list(of) for of in widths]

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it reads."""
        return [*([] if self.tower is None else self.tower.schema.column_names), *self.end.neighbours.values()]

    def build(self, input_shape: Shape | None = None) -> None:
        # Of a relation whose neighbours no column tells, a row that nobody reads.
        self.tables = [
            [
                self.add_weight(
                    (self.counts[relation.source] if relation in self.end.neighbours else 1, of[relation]),
                    "zeros",
                    "float32",
                    trainable=False,
                    autocast=False,
                    name="messages",
                )
                for relation in relations
            ]
            for relations, of in zip(self._relations, self.widths, strict=True)
        ]

    def put(self, messages: Messages, layers: Sequence[keras.layers.Layer | None]) -> None:
        """Take new values.

        Args:
            messages: for each layer, by relation, what all nodes of its source type send.
            layers: an encoder, a tower and a last step, whose weights those here get.
        """
        for tables, relations, sent in zip(self.tables, self._relations, messages, strict=True):
            for table, relation in zip(tables, relations, strict=True):
                if relation in self.end.neighbours:
                    table.assign(sent[relation])
        for own, other in zip((self.encoder, self.tower, self.post), layers, strict=True):
            if own is not None and other is not None:
                own.set_weights(other.get_weights())

    def call(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        if self.tower is None:
            rows = ops.zeros_like(inputs[self.end.column], dtype="float32")
            vectors = ops.repeat(rows[:, None], self.width, axis=1)
        else:
            vectors = ops.cast(self.tower(inputs, training=False), "float32")
        messages = [
            {relation: ops.convert_to_tensor(table) for relation, table in zip(relations, tables, strict=True)}
            for relations, tables in zip(self._relations, self.tables, strict=True)
        ]
        lists = {relation: inputs[column] for relation, column in self.end.neighbours.items()}
        named = self.plan, self.end.node_type, vectors, messages, lists, self.end.unknown
        found, degrees = over_given_neighbours(self.encoder, *named)
        return ops.cast(found if self.post is None else self.post(found, training=False), "float32"), degrees

    def get_config(self) -> dict[str, Any]:
        return {
            "encoder": serialized(self.encoder),
            "tower": serialized(self.tower),
            "neighbours": {str(relation): column for relation, column in self.end.neighbours.items()},
            "post": serialized(self.post),
        }
