"""A small graph of three types of nodes, and what its encoders give, by loops over dense matrices."""

import numpy as np
import tensorflow as tf

from tfdual.graph import Graph, GraphEncoder, Relation
from tfdual.graph.plan import Plan
from tfdual.graph.propagate import over_all_nodes
from tfdual.graph.stored_graph import StoredGraph

NODES = {"user": 5, "item": 7, "genre": 4}
BOUGHT, HAS, NEXT = (
    Relation("user", "bought", "item"),
    Relation("item", "has", "genre"),
    Relation("item", "next", "item"),
)


def small_graph(weighted: bool = False) -> Graph:
    """User 4 and item 6 are isolated, item 3 is next to itself, and user 1 has items 2, 3 and 5."""
    rng = np.random.default_rng(3)
    pairs = {
        BOUGHT: ([1, 1, 1, 2, 2, 3, 0], [2, 3, 5, 2, 4, 1, 0]),
        HAS: ([1, 2, 2, 3, 4, 5], [1, 1, 2, 3, 3, 2]),
        NEXT: ([2, 3, 4], [3, 3, 5]),
    }
    weights = {relation: rng.uniform(0.5, 2, len(of[0])) for relation, of in pairs.items()}
    return Graph(NODES, {relation: (*of, weights[relation]) if weighted else of for relation, of in pairs.items()})


def vectors(dim: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {node_type: rng.normal(size=(count, dim)).astype("float32") for node_type, count in NODES.items()}


def matrix(graph: Graph, relation: Relation) -> np.ndarray:
    """`matrix[target, source]`, the weights of the edges of a relation or of an inverse one."""
    plain = graph.edges[relation.inverse if relation.is_back else relation]
    found = np.zeros((graph.nodes[relation.target], graph.nodes[relation.source]))
    for source, target, weight in zip(plain.sources, plain.targets, plain.weights, strict=True):
        found[(source, target) if relation.is_back else (target, source)] = weight
    return found


def degrees_by_hand(graph: Graph) -> dict[str, np.ndarray]:
    found = {node_type: np.zeros(count) for node_type, count in graph.nodes.items()}
    for relation in graph.relations:
        found[relation.target] += matrix(graph, relation).sum(axis=1)
    return found


def encoded(encoder: GraphEncoder, graph: Graph, initial: dict, ends: list[str]) -> dict[str, np.ndarray]:
    """What the encoder gives, in a graph of TensorFlow."""
    stored, plan = StoredGraph(graph, encoder), Plan(graph.relations, ends, encoder.num_layers)
    encoder.build_for(plan, {node_type: rows.shape[1] for node_type, rows in initial.items()})
    initial = {node_type: tf.constant(rows) for node_type, rows in initial.items()}

    @tf.function
    def run() -> dict[str, tf.Tensor]:
        layers = over_all_nodes(encoder, stored, plan, initial, False)
        return {end: encoder.finish([layer[end] for layer in layers]) for end in ends}

    return {name: rows.numpy() for name, rows in run().items()}
