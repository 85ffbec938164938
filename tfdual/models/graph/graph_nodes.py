"""The nodes of a graph, their initial vectors and the layers over them."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once, fresh_copy, serialized
from tfdual._layer_name import layer_name
from tfdual._typing import Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features import EmbeddingTable
from tfdual.features.initializers import Initializer
from tfdual.fusion.unshared import unshared
from tfdual.graph import Graph, GraphEncoder
from tfdual.graph.plan import Plan
from tfdual.graph.propagate import over_all_nodes, over_samples, sent
from tfdual.graph.sampled_tree import SampledTree
from tfdual.graph.stored_graph import StoredGraph
from tfdual.models.graph.node_ends import NodeEnd
from tfdual.models.graph.unseen_nodes import Messages
from tfdual.towers import Tower

Layers = list[dict[str, Tensor]]


class GraphNodes(keras.layers.Layer):
    """Embeddings of nodes: initial vectors from columns or tables, then the layers of an encoder.

    It is a Keras layer for its weights and for the graph, which is saved with them; it has no `call`.

    Args:
        graph: Graph.
        encoder: GraphEncoder.
        ends: types of nodes that are wanted at the end.
        blocks: by type, from columns of nodes to their initial vectors; other types have a table each.
        dim: int. Width of its rows.
        initializer: of its rows.

    Raises:
        ValueError: blocks for types that the encoder doesn't reach, or that read columns that the graph doesn't have.
    """

    def __init__(
        self,
        graph: Graph,
        encoder: GraphEncoder,
        ends: list[str],
        blocks: Mapping[str, LayerLike],
        dim: int,
        initializer: Initializer,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stored = StoredGraph(graph, encoder)
        self.encoder = encoder
        self.plan = Plan(graph.relations, ends, encoder.num_layers)
        if unknown := sorted(set(blocks) - set(self.plan.types[0])):
            raise ValueError(f"There are blocks for {unknown}, which the encoder doesn't reach: {self.plan.types[0]}.")
        self.dim = dim
        self.towers = {node_type: self._tower(graph, node_type, layer) for node_type, layer in blocks.items()}
        self.tables = {
            node_type: EmbeddingTable(
                graph.nodes[node_type],
                dim,
                initializer=unshared(initializer),
                name=layer_name(node_type),
                dtype=self.dtype_policy,
            )
            for node_type in self.plan.types[0]
            if node_type not in self.towers
        }

    def _tower(self, graph: Graph, node_type: str, layer: LayerLike) -> Tower:
        block = layer.block if isinstance(layer, Tower) else Block.from_layer(Block.parse(layer))
        tower = Tower(block, name=f"{layer_name(node_type)}_nodes", dtype=self.dtype_policy)
        held = [name.partition(":")[2] for name in graph.columns.get(node_type, ())]
        missing = [name for name in tower.schema.column_names if name not in held]
        if missing and not graph.is_outline:
            raise ValueError(
                f"The block of '{node_type}' reads {missing}, and the graph's columns of these nodes are "
                f"{sorted(set(held))}. Add them: graph.with_columns('{node_type}', batches)."
            )
        return tower

    def build(self, input_shape: Any = None) -> None:
        for layer in (*self.towers.values(), *self.tables.values()):
            build_once(layer)
        self.output_width = self.encoder.build_for(self.plan, self._widths())

    def width(self, node_type: str) -> int:
        """Of the initial vectors."""
        return self.towers[node_type].embedding_dim if node_type in self.towers else self.dim

    def _widths(self) -> dict[str, int]:
        return {node_type: self.width(node_type) for node_type in self.plan.types[0]}

    def initial(self, node_type: str, ids: Tensor | None = None, training: bool | None = None) -> Tensor:
        """The initial vectors of nodes, or of all, `(nodes, width)`."""
        if ids is not None:
            ids = ops.where(ops.logical_and(ids >= 0, ids < self.stored.nodes[node_type]), ids, 0)
        if node_type in self.towers:
            return self.towers[node_type](self.stored.columns(node_type, ids), training=training)
        table = self.tables[node_type]
        return ops.convert_to_tensor(table.embeddings) if ids is None else table.rows(ids)

    def over_all(self, training: bool | None) -> Layers:
        """The vectors of all nodes by type, before the first layer and after each."""
        initial = {
            node_type: ops.cast(self.initial(node_type, None, training), "float32") for node_type in self.plan.types[0]
        }
        return over_all_nodes(self.encoder, self.stored, self.plan, initial, training)

    def finished(self, layers: Layers, node_type: str) -> Tensor:
        """The embeddings of all nodes of a type, `(nodes, dim)`."""
        return self.encoder.finish([layer[node_type] for layer in layers])

    def over_samples(self, end: NodeEnd, inputs: Mapping[str, Tensor], training: bool | None) -> Tensor:
        """The embeddings of the nodes of a batch by their sampled neighbours, `(batch, dim)`.

        Raises:
            ValueError: the encoder needs whole neighbourhoods, or more layers than were sampled.
        """
        if self.encoder.symmetric:
            raise ValueError(
                f"{type(self.encoder).__name__} needs the degrees of whole neighbourhoods, and the batch holds sampled "
                "ones. Leave the NeighbourSampler out, or take GraphSAGE."
            )
        depth = self.encoder.num_layers
        tree = SampledTree(inputs, end.column, end.node_type, self.stored.relations, depth)
        vectors = {path: self.initial(tree.node_type(path), ids, training) for path, ids in tree.ids.items()}
        return self.encoder.finish(over_samples(self.encoder, self.plan, tree, vectors, training))

    def messages(self, layers: Layers) -> Messages:
        """For each layer, by relation, what all nodes send."""
        return [
            {relation: sent(self.encoder, self.stored, layer, relation, before[relation.source]) for relation in used}
            for layer, (used, before) in enumerate(zip(self.plan.relations, layers, strict=False))
        ]

    def copies(self, node_type: str) -> tuple[GraphEncoder, Tower | None]:
        """An encoder and a tower like these, with weights of their own."""
        encoder = fresh_copy(self.encoder)
        encoder.build_for(self.plan, self._widths())
        tower = self.towers.get(node_type)
        if tower is not None:
            tower = fresh_copy(tower)
            build_once(tower)
        return encoder, tower

    def save_own_variables(self, store: Any) -> None:
        """The graph."""
        self.stored.save(store)

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote."""
        self.stored.load(store)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "nodes": self.stored.nodes,
            "encoder": serialized(self.encoder),
            "blocks": serialized({node_type: tower.block for node_type, tower in self.towers.items()}),
            "dim": self.dim,
        }
