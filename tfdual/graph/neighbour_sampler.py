"""Sampling of neighbours in the input pipeline."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.graph.graph import Graph
from tfdual.graph.relation import Relation
from tfdual.graph.sampled_tree import column_name, paths_from


class NeighbourSampler:
    """Adds sampled neighbours of the nodes of a batch, theirs, and so on, for `dataset.map(sampler)`.

    Of a node with no more neighbours than the fan-out, all are taken; of others, so many different ones, each with the
    same probability. A step then costs what its batch and the fan-outs cost, however large the graph is.

    Args:
        graph: Graph.
        fan_outs: how many neighbours a node has, for each layer of the encoder: those of the batch's nodes first.
            Of each relation that leads to the node so many are taken.
        columns: mapping of a column of ids -> the type of its nodes; or names of columns that are called as the types.
        seed: int. The same samples in the same order, if the `map` is not parallel. Defaults to `None`: others in each
            run.

    Input: dict of columns.
    Output: the same, and for each column and path a column of int64, `(batch, *fan-outs)`; -1 where there is no
    neighbour.

    Raises:
        ValueError: no fan-out, or one below 1; a type that the graph doesn't have; a batch without the column.

    Example:
        >>> graph = Graph({"user": 3, "item": 4}, {("user", "likes", "item"): ([1, 1, 2], [1, 3, 3])})
        >>> sampler = NeighbourSampler(graph, fan_outs=[2], columns=["user"], seed=0)
        >>> found = sampler({"user": tf.constant([1, 2])})
        >>> found["user/item>~likes"].numpy().tolist()  # what they like
        [[1, 3], [3, -1]]

    Reference: Hamilton et al., 2017, arXiv:1706.02216
    """

    def __init__(
        self, graph: Graph, fan_outs: Sequence[int], columns: Sequence[str] | Mapping[str, str], seed: int | None = None
    ) -> None:
        if not fan_outs or min(fan_outs) < 1:
            raise ValueError(f"fan_outs has at least 1 neighbour for at least one layer. Received {list(fan_outs)}.")
        self.fan_outs = tuple(fan_outs)
        self.columns = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}
        if unknown := sorted(set(self.columns.values()) - set(graph.nodes)):
            raise ValueError(f"The graph has no nodes of the types {unknown}. It has {sorted(graph.nodes)}.")
        self._relations = graph.relations
        rng = np.random.default_rng(seed)
        with tf.device("CPU:0"):
            self._lists = {relation: _shuffled(graph, relation, rng) for relation in graph.relations}
            drawn = int(rng.integers(1 << 62))
            self._generator = tf.random.Generator.from_seed(drawn)

    def __call__(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch and its sampled neighbours."""
        found = dict(batch)
        for column, node_type in self.columns.items():
            if column not in batch:
                raise ValueError(f"The batch lacks '{column}', to sample neighbours of. It has {sorted(batch)}.")
            for path in paths_from(node_type, self._relations, len(self.fan_outs)):
                if path:
                    nodes = found[column_name(column, path[:-1])]
                    sampled = self._sampled(path[-1], nodes, self.fan_outs[len(path) - 1])
                    found[column_name(column, path)] = sampled
        return found

    def _sampled(self, relation: Relation, nodes: Tensor, fan_out: int) -> Tensor:
        """Neighbours of nodes of any shape, `(..., fan_out)`."""
        starts, neighbours = self._lists[relation]
        nodes = tf.cast(nodes, tf.int64)
        inside = (nodes >= 0) & (nodes < tf.size(starts, tf.int64) - 1)
        place = tf.where(inside, nodes, 0)
        start, end = tf.gather(starts, place), tf.gather(starts, place + 1)
        degree = tf.where(inside, end - start, 0)[..., None]
        # One step for all places of a list in random order: they differ, and each is as likely as the others.
        offset = self._generator.uniform(tf.shape(degree), dtype=tf.float64)
        order = tf.range(fan_out, dtype=tf.int64)
        spread = (tf.cast(order, tf.float64) + offset) * tf.cast(degree, tf.float64) / fan_out
        chosen = tf.where(degree <= fan_out, order, tf.minimum(tf.cast(spread, tf.int64), degree - 1))
        there = chosen < degree
        at = tf.where(there, start[..., None] + chosen, 0)
        return tf.where(there, tf.cast(tf.gather(neighbours, at), tf.int64), -1)


def _shuffled(graph: Graph, relation: Relation, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Where the neighbours of each node begin, and the neighbours, those of a node in random order."""
    edges = graph.incoming(relation)
    order = np.lexsort((rng.random(len(edges)), edges.targets))
    starts = edges.starts(graph.nodes[relation.target])
    neighbours = np.append(edges.sources[order], np.int32(-1))  # one more, so that there is one to read
    return tf.constant(starts), tf.constant(neighbours)
