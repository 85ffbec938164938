"""Layers of a graph encoder over all nodes, over sampled ones, and over a node that isn't there."""

from collections.abc import Mapping, Sequence

from keras import ops

from tfdual._backend import is_ragged, rows_of_values
from tfdual._typing import Tensor
from tfdual.graph.aggregation import aggregate
from tfdual.graph.graph_encoder import GraphEncoder
from tfdual.graph.plan import Plan
from tfdual.graph.relation import Relation
from tfdual.graph.sampled_tree import SampledTree
from tfdual.graph.stored_graph import StoredGraph

Vectors = dict[str, Tensor]


def over_all_nodes(
    encoder: GraphEncoder, graph: StoredGraph, plan: Plan, vectors: Vectors, training: bool | None
) -> list[Vectors]:
    """The vectors of all nodes by type, `(nodes, dim)`, before the first layer and after each."""
    gather = {relation: graph.gathering(relation, training) for used in plan.relations for relation in used}
    layers = [vectors]
    for layer in range(encoder.num_layers):
        before, after = layers[-1], {}
        for node_type in plan.types[layer + 1]:
            incoming = {}
            for relation in plan.into(layer, node_type):
                incoming[relation] = gather[relation](encoder.message(layer, relation, before[relation.source]))
            own = before[node_type]
            if encoder.self_loops:
                own = encoder.kept(own, graph.degrees(node_type))
            after[node_type] = encoder.update(layer, node_type, own, incoming, training)
        layers.append(after)
    return layers


def sent(encoder: GraphEncoder, graph: StoredGraph, layer: int, relation: Relation, source: Tensor) -> Tensor:
    """What all nodes of a relation's source type send to a node that is not in the graph, `(nodes, width)`."""
    messages = ops.cast(encoder.message(layer, relation, source), "float32")
    return messages * encoder.share(graph.degrees(relation.source))[:, None] if encoder.symmetric else messages


def over_samples(
    encoder: GraphEncoder, plan: Plan, tree: SampledTree, vectors: Mapping[tuple, Tensor], training: bool | None
) -> list[Tensor]:
    """The vectors of the nodes at a tree's root, before the first layer and after each.

    Args:
        encoder: GraphEncoder. One that takes a part of the neighbours for all.
        plan: Plan.
        tree: SampledTree.
        vectors: the initial vectors of the nodes of each path, `(nodes, dim)`.
        training: bool.
    """
    roots, before = [vectors[()]], dict(vectors)
    for layer in range(encoder.num_layers):
        after = {}
        for path in tree.paths(encoder.num_layers - 1 - layer):
            node_type, own = tree.node_type(path), before[path]
            incoming = {}
            for relation in plan.into(layer, node_type):
                child = (*path, relation)
                messages = encoder.message(layer, relation, before[child])
                rows, there, count = tree.rows(child), tree.ids[child] >= 0, ops.shape(own)[0]
                incoming[relation] = aggregate(messages, rows, count, encoder.aggregation, there)
            after[path] = encoder.update(layer, node_type, own, incoming, training)
        before = after
        roots.append(before[()])
    return roots


def over_given_neighbours(
    encoder: GraphEncoder,
    plan: Plan,
    node_type: str,
    vectors: Tensor,
    messages: Sequence[Mapping[Relation, Tensor]],
    neighbours: Mapping[Relation, Tensor],
    unknown: Mapping[str, int],
) -> tuple[Tensor, Tensor]:
    """The embeddings of nodes that aren't in the graph, of their own vectors and the lists of their neighbours.

    Args:
        encoder: GraphEncoder.
        plan: Plan.
        node_type: str. What they are.
        vectors: `(rows, dim)`, their initial vectors.
        messages: for each layer, by relation, what all nodes of its source type send, `(nodes, width)`.
        neighbours: by relation, ids of the neighbours, ragged `(rows, None)` or padded with 0; one outside the nodes is
            none. One that repeats is an edge of that weight where edges have weights, else it counts once.
        unknown: by type of nodes, how many first ids stand for unknown values, which are no neighbours.

    Returns:
        `(rows, dim)`, and how many neighbours each has, `(rows,)`.
    """
    count = ops.shape(vectors)[0]
    flat = {
        relation: _flat(lists, unknown[relation.source], ops.shape(messages[0][relation])[0])
        for relation, lists in neighbours.items()
    }
    if not encoder.symmetric:
        flat = {relation: (_once_a_row(*lists), lists[1]) for relation, lists in flat.items()}
    degrees = ops.zeros_like(vectors[:, 0], dtype="float32")
    for ids, rows in flat.values():
        held = aggregate(ops.ones_like(ids, dtype="float32")[:, None], rows, count, "sum", ids > 0)
        degrees = degrees + held[:, 0]
    layers = [vectors]
    for layer in range(encoder.num_layers):
        own, incoming = layers[-1], {}
        for relation in plan.into(layer, node_type):
            table = messages[layer][relation]
            ids, rows = flat.get(relation, (ops.zeros((0,), "int32"), ops.zeros((0,), "int32")))
            incoming[relation] = aggregate(ops.take(table, ids, axis=0), rows, count, encoder.aggregation, ids > 0)
        if encoder.symmetric:
            share = encoder.share(degrees)[:, None]
            incoming = {relation: vectors * share for relation, vectors in incoming.items()}
            own = encoder.kept(own, degrees)
        layers.append(encoder.update(layer, node_type, own, incoming, False))
    return encoder.finish(layers), degrees


def _flat(lists: Tensor, first: int, nodes: int) -> tuple[Tensor, Tensor]:
    """All ids, 0 for those outside `first .. nodes - 1`, and the row of each."""
    ids = lists.flat_values if is_ragged(lists) else ops.reshape(lists, (-1,))
    return ops.where(ops.logical_and(ids >= first, ids < nodes), ids, 0), rows_of_values(lists)


def _once_a_row(ids: Tensor, rows: Tensor) -> Tensor:
    """The ids, with 0 in place of all but one of those that a row repeats."""
    order = ops.argsort(ids)
    order = ops.take(order, ops.argsort(ops.take(rows, order)))  # sorting keeps the order of equal ones
    ordered_ids, ordered_rows = ops.take(ids, order), ops.take(rows, order)
    same = ops.logical_and(ordered_ids[1:] == ordered_ids[:-1], ordered_rows[1:] == ordered_rows[:-1])
    repeats = ops.concatenate([ops.zeros_like(ids[:1], dtype="bool"), same])
    return ops.where(ops.take(repeats, ops.argsort(order)), 0, ids)
