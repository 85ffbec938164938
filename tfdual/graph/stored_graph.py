"""A graph that is part of a layer's state."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._typing import Tensor
from tfdual.graph.aggregation import aggregate
from tfdual.graph.edges import Edges
from tfdual.graph.graph import Graph
from tfdual.graph.graph_encoder import GraphEncoder
from tfdual.graph.neighbour_sums import NeighbourSums, SparseMatrix
from tfdual.graph.relation import BACK, Relation
from tfdual.negatives.stored_arrays import StoredArrays, on_host


class StoredGraph(tf.Module):
    """The edges and columns of a graph as tensors, which are saved with the weights of a layer, and are none.

    Args:
        graph: Graph. One that `Graph.from_config` made has its arrays when `load` has read them.
        encoder: GraphEncoder. What it makes of the weights of edges is worked out once.
    """

    def __init__(self, graph: Graph, encoder: GraphEncoder) -> None:
        super().__init__()
        self._structure, self._encoder = graph, encoder
        self._arrays = StoredArrays()
        if not graph.is_outline:
            self._hold(graph)

    def _hold(self, graph: Graph) -> None:
        with tf.init_scope():  # also where a graph is traced
            self._arrays.replace({name: on_host(array) for name, array in _arrays(graph, self._encoder).items()})

    @property
    def nodes(self) -> dict[str, int]:
        """How many nodes of each type."""
        return self._structure.nodes

    @property
    def relations(self) -> list[Relation]:
        """The relations, each followed by its inverse."""
        return self._structure.relations

    @property
    def arrays(self) -> StoredArrays:
        """All arrays.

        Raises:
            ValueError: they haven't been read.
        """
        if not self._arrays.names:
            raise ValueError(
                "The edges of this graph have not been read: a config holds types and sizes alone, get_weights() "
                "no edges. Read them with load_weights(), or the whole model with keras.models.load_model()."
            )
        return self._arrays

    def to_graph(self) -> Graph:
        """The graph itself."""
        edges: dict[Relation, Edges] = {}
        columns: dict[str, dict[str, np.ndarray]] = {}
        for number, relation in enumerate(self._structure.edges):
            targets, sources = self.arrays[f"{number}:places"].numpy().T.astype(np.int32)
            edges[relation] = Edges(sources, targets, self._weights(f"{number}").numpy())
        for name in self.arrays.names:
            node_type, _, column = name.partition("/")
            if column:
                columns.setdefault(node_type, {})[column] = self.arrays[name].numpy()
        return Graph(self.nodes, edges, columns)

    def _key(self, relation: Relation) -> str:
        number = list(self._structure.edges).index(relation.inverse if relation.is_back else relation)
        return f"{number}{BACK if relation.is_back else ''}"

    def _weights(self, key: str) -> Tensor:
        """Those of a relation's edges; they aren't held where all are 1."""
        name = f"{key}:weights"
        if name in self.arrays.names:
            return self.arrays[name]
        return tf.ones_like(self.arrays[f"{key}:places"][:, 0], tf.float32)

    def places(self, relation: Relation) -> Tensor:
        """Target and source of each edge, in the order of the targets, int64 `(edges, 2)`."""
        return self.arrays[f"{self._key(relation)}:places"]

    def degrees(self, node_type: str) -> Tensor:
        """The sum of the weights of each node's edges, `(nodes,)`."""
        return self.arrays[f"degrees:{node_type}"]

    def gathering(self, relation: Relation, training: bool | None) -> Callable[[Tensor], Tensor]:
        """What makes of the messages of all sources, `(sources, dim)`, what the targets get, `(targets, dim)`.

        Args:
            relation: Relation.
            training: bool. Whether a gradient will be taken.
        """
        if self._encoder.aggregation == "max":
            return functools.partial(self._maxima, relation)
        key, shape = self._key(relation), (self.nodes[relation.target], self.nodes[relation.source])
        forth = SparseMatrix(self.places(relation), self.arrays[f"{key}:values"], shape)
        if not training:
            return NeighbourSums(forth.compressed())
        back = SparseMatrix(self.places(relation.inverse), self.arrays[f"{key}:transposed"], shape[::-1])
        return NeighbourSums(forth.compressed(), back.compressed())

    def _maxima(self, relation: Relation, messages: Tensor) -> Tensor:
        places = self.places(relation)
        sent = tf.gather(messages, places[:, 1])
        return aggregate(sent, places[:, 0], self.nodes[relation.target], "max")

    def columns(self, node_type: str, ids: Tensor | None = None) -> dict[str, Tensor]:
        """The model-ready columns of nodes.

        Args:
            node_type: str.
            ids: int `(n,)`. Defaults to `None`: all nodes, in the order of their ids.
        """
        found: dict[str, Tensor] = {}
        for array in self.arrays.names:
            of_type, _, kind = array.partition("/")
            kind, _, name = kind.partition(":")
            if of_type != node_type or kind == "row_splits":
                continue
            if kind == "dense":
                found[name] = self.arrays[array] if ids is None else self.arrays.take(array, ids)
            else:
                splits = f"{node_type}/row_splits:{name}"
                lists = tf.RaggedTensor.from_row_splits(self.arrays[array], self.arrays[splits], validate=False)
                found[name] = lists if ids is None else tf.gather(lists, ids)
        return found

    def save(self, store: Any) -> None:
        """Write it into a store of Keras."""
        self.arrays.save(store)

    def load(self, store: Any) -> None:
        """Read what `save` wrote."""
        self._arrays.load(store)


def _arrays(graph: Graph, encoder: GraphEncoder) -> Mapping[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    degrees = graph.degrees()
    for number, relation in enumerate(graph.edges):
        for key, each in ((f"{number}", relation), (f"{number}{BACK}", relation.inverse)):
            edges, turned = graph.incoming(each), graph.incoming(each.inverse)
            found[f"{key}:places"] = np.stack([edges.targets, edges.sources], axis=1).astype(np.int64)
            if (edges.weights != 1).any():
                found[f"{key}:weights"] = edges.weights
            if encoder.symmetric:
                target, source = (
                    ops.convert_to_numpy(encoder.share(degrees[end])) for end in (each.target, each.source)
                )
                found[f"{key}:values"] = edges.weights * target[edges.targets] * source[edges.sources]
                found[f"{key}:transposed"] = turned.weights * target[turned.sources] * source[turned.targets]
            elif encoder.aggregation == "mean":
                share = (1 / np.maximum(np.bincount(edges.targets, minlength=graph.nodes[each.target]), 1)).astype("f4")
                found |= {f"{key}:values": share[edges.targets], f"{key}:transposed": share[turned.sources]}
    found |= {f"degrees:{node_type}": of for node_type, of in degrees.items()}
    for node_type, arrays in graph.columns.items():
        found |= {f"{node_type}/{name}": array for name, array in arrays.items()}
    return found
