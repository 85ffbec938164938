"""Nodes of several types and the edges between them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfdual._typing import Tensor
from tfdual.graph.edges import Edges, merged_edges
from tfdual.graph.node_columns import columns_by_id, differing_columns, merged_columns
from tfdual.graph.relation import Relation, checked_relation
from tfdual.graph.row_edges import edge_columns, node_counts
from tfdual.schema import Schema

EdgeColumns = Sequence[Any]


class Graph:
    """Typed nodes, typed edges between them, and columns of the nodes: what a `GraphModel` propagates along.

    Nodes of a type are `0 .. count - 1`, as the rows of an embedding table. An edge is given once, and is read both
    ways. A pair that is given several times is one edge, with the sum of the weights. A self-loop is an edge like
    others. A node without edges is isolated: nothing reaches it.

    In a `GraphModel`, the first nodes of queries and items, 0 and what `"shared_ids"` says, stand for unknown values
    and have no edges.

    Args:
        nodes: mapping of type -> how many nodes.
        edges: mapping of (source type, name, target type) -> (ids of sources, ids of targets), or with weights above 0
            as a third.
        columns: mapping of type -> arrays, as `with_columns` makes them. Defaults to none.

    Raises:
        ValueError: no node of a type; a relation of types that aren't there; an id outside the nodes; a weight that is
            not above 0; arrays of different lengths.
        TypeError: ids that are no integers.

    Example:
        >>> graph = Graph({"user": 3, "item": 4}, {("user", "likes", "item"): ([1, 1, 2, 2], [1, 3, 3, 3])})
        >>> graph
        Graph(3 user, 4 item; 3 user>likes>item)
        >>> graph.edges["user", "likes", "item"].weights.tolist()  # of 1-1, 1-3 and 2-3
        [1.0, 1.0, 2.0]
        >>> {node_type: ids.tolist() for node_type, ids in graph.isolated().items()}
        {'user': [0], 'item': [0, 2]}
    """

    def __init__(
        self,
        nodes: Mapping[str, int],
        edges: Mapping[Any, EdgeColumns | Edges],
        columns: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    ) -> None:
        if empty := [node_type for node_type, count in nodes.items() if count < 1]:
            raise ValueError(f"A type of nodes has at least 1. Received none of {empty}.")
        self.nodes = {node_type: int(count) for node_type, count in nodes.items()}
        self.edges: dict[Relation, Edges] = {}
        for given, of in edges.items():
            relation = checked_relation(given, nodes)
            sizes = self.nodes[relation.source], self.nodes[relation.target]
            self.edges[relation] = of if isinstance(of, Edges) else merged_edges(relation, of, *sizes)
        self.columns = {node_type: dict(arrays) for node_type, arrays in (columns or {}).items()}
        self.is_outline = False  # as of what a config tells

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]] | Mapping[str, Any],
        schema: Schema,
        edges: Sequence[tuple[str, str, str]] | None = None,
        weights: str | None = None,
    ) -> "Graph":
        """The graph of rows: an edge for each pair of values of two columns that stand in one row.

        The type of a node is the name of its column's domain, so that columns of one domain name the same nodes. Pairs
        in which an id is of an unknown value, 0 or below the column's `"shared_ids"`, make no edge.

        Args:
            rows: batches of model-ready columns, such as `rows.batch(4096).map(preprocessor)`; or one such batch.
            schema: Schema. Of model-ready columns, whose domains say how many nodes there are.
            edges: (source column, name, target column) each; one of both may hold lists. Defaults to `None`:
                one relation, from the column tagged `USER_ID` to that tagged `ITEM_ID`, called `"interacts"`.
            weights: str. A column with a weight above 0 a row; one tagged `WEIGHT` keeps its numbers in a
                `Preprocessor`. Defaults to `None`: 1 each, so that an edge counts its rows.

        Raises:
            ValueError: a column that is missing, or of unknown size; lists on both sides; and as `Graph` does.
            TypeError: rows that are no batches of columns.

        Example:
            >>> from tfdual import ColumnSchema, Tags
            >>> def ids(name, count, *tags, **more):
            ...     return ColumnSchema(name, tags, {"domain": {"max": count - 1}}, **more)
            >>> schema = Schema([ids("user", 3, Tags.USER_ID), ids("item", 4, Tags.ITEM_ID)])
            >>> Graph.from_rows({"user": [1, 1, 2], "item": [1, 3, 3]}, schema)
            Graph(3 user, 4 item; 3 user>interacts>item)
        """
        chosen, found = edge_columns(rows, schema, edges, weights)
        return cls(node_counts(schema, chosen), found)

    def with_columns(
        self, node_type: str, batches: Iterable[Mapping[str, Tensor]], column: str | None = None, unknown: int = 1
    ) -> "Graph":
        """A graph whose nodes of a type have columns, for encoders of features to read.

        Columns that they have stay; one of a name that is given again is replaced.

        Args:
            node_type: str.
            batches: model-ready columns, one row a node.
            column: str. The column of the nodes' ids. Defaults to `None`: that of the type's name.
            unknown: int. How many first nodes stand for unknown values, and need no row. Defaults to 1.

        Raises:
            ValueError: another type; a node without a row; and as `tfdual.negatives.Catalogue` does.
        """
        if node_type not in self.nodes:
            raise ValueError(f"There are no nodes of the type '{node_type}'. There are {sorted(self.nodes)}.")
        arrays = columns_by_id(node_type, batches, column or node_type, self.nodes[node_type], unknown)
        merged = merged_columns(self.columns.get(node_type, {}), arrays)
        return Graph(self.nodes, self.edges, self.columns | {node_type: merged})

    @property
    def relations(self) -> list[Relation]:
        """Each relation, and its inverse, by which messages go back."""
        return [each for relation in self.edges for each in (relation, relation.inverse)]

    def incoming(self, relation: Relation) -> Edges:
        """The edges of a relation or of an inverse one, in the order of the nodes that they lead to."""
        return self.edges[relation.inverse].inverse if relation.is_back else self.edges[relation]

    def degrees(self) -> dict[str, np.ndarray]:
        """The sum of the weights of each node's edges, of all relations and both ways: float32 `(nodes,)` by type."""
        found = {node_type: np.zeros(count) for node_type, count in self.nodes.items()}
        for relation, edges in self.edges.items():
            for node_type, ids in ((relation.source, edges.sources), (relation.target, edges.targets)):
                found[node_type] += np.bincount(ids, edges.weights, self.nodes[node_type])
        return {node_type: degrees.astype(np.float32) for node_type, degrees in found.items()}

    def isolated(self) -> dict[str, np.ndarray]:
        """The ids of the nodes without edges, by type."""
        return {node_type: np.flatnonzero(degrees == 0) for node_type, degrees in self.degrees().items()}

    def unweighted(self) -> "Graph":
        """A graph of the same edges, all of the weight 1."""
        plain = {key: Edges(of.sources, of.targets, np.ones_like(of.weights)) for key, of in self.edges.items()}
        return Graph(self.nodes, plain, self.columns)

    def without_self_loops(self) -> "Graph":
        """A graph without the edges from a node to itself."""
        kept = dict(self.edges)
        for relation, edges in self.edges.items():
            if relation.source == relation.target:
                other = edges.sources != edges.targets
                kept[relation] = Edges(edges.sources[other], edges.targets[other], edges.weights[other])
        return Graph(self.nodes, kept, self.columns)

    def __add__(self, other: "Graph") -> "Graph":
        """All nodes, edges and columns of both; the edges of one relation are merged.

        Raises:
            ValueError: nodes with columns that are more in the other graph; a column that differs in both.
        """
        nodes = {name: max(self.nodes.get(name, 0), other.nodes.get(name, 0)) for name in self.nodes | other.nodes}
        for graph in (self, other):
            if grown := [name for name in graph.columns if graph.nodes[name] != nodes[name]]:
                raise ValueError(f"{grown} have columns here and more nodes in the other graph. Add columns last.")
        edges: dict[Relation, Any] = {}
        for relation in self.edges | other.edges:
            both = [graph.edges[relation] for graph in (self, other) if relation in graph.edges]
            parts = [(each.sources, each.targets, each.weights) for each in both]
            edges[relation] = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        columns = self.columns | other.columns
        for node_type in self.columns.keys() & other.columns.keys():
            here, there = self.columns[node_type], other.columns[node_type]
            if different := differing_columns(here, there):
                raise ValueError(
                    f"Both graphs have columns {different} of '{node_type}', and not the same values. Keep one of them."
                )
            columns[node_type] = merged_columns(here, there)
        return Graph(nodes, edges, columns)

    def to_config(self) -> dict[str, Any]:
        """Types, counts and relations, as plain JSON types. Edges and columns are state, as weights are."""
        return {"nodes": dict(self.nodes), "relations": [list(relation) for relation in self.edges]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Graph":
        """The outline of the graph that `to_config` told of: its edges and columns are still to be read."""
        none = np.zeros(0, np.int64)
        outline = cls(config["nodes"], {tuple(relation): (none, none) for relation in config["relations"]})
        outline.is_outline = True
        return outline

    def __repr__(self) -> str:
        nodes = ", ".join(f"{count:,} {node_type}" for node_type, count in self.nodes.items())
        edges = ", ".join(f"{len(each):,} {relation}" for relation, each in self.edges.items())
        return f"Graph({nodes}; {edges})"
