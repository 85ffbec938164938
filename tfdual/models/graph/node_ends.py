"""The nodes that stand at the two sides of a graph model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tfdual.graph import Graph, Relation
from tfdual.schema import ColumnSchema, Kind, Schema, Tags


@dataclass(frozen=True)
class NodeEnd:
    """The nodes of one side.

    Args:
        column: str. The column of their ids.
        node_type: str.
        nodes: int. How many there are.
        neighbours: by relation, the column of lists with neighbours of a node that the graph doesn't have.
    """

    column: str
    node_type: str
    nodes: int
    neighbours: Mapping[Relation, str] = field(default_factory=dict)


def ends_of(
    graph: Graph, schema: Schema, query: tuple[str, int], item: tuple[str, int], neighbours: Sequence[str]
) -> tuple[NodeEnd, NodeEnd]:
    """The two sides.

    Args:
        graph: Graph.
        schema: Schema.
        query: the column of the queries' ids, and how many there are.
        item: the same of the items.
        neighbours: names of columns of lists, tagged `USER` or `ITEM`.

    Raises:
        ValueError: the graph has no such nodes, or another number; a list that is no column of ids with one of the
            tags, or that doesn't tell which relation it stands for.
    """
    lists: dict[str, dict[Relation, str]] = {Tags.USER: {}, Tags.ITEM: {}}
    types: dict[str, str] = {Tags.USER: schema[query[0]].domain_name, Tags.ITEM: schema[item[0]].domain_name}
    for (name, count), node_type in zip((query, item), types.values(), strict=True):
        if graph.nodes.get(node_type) != count:
            raise ValueError(
                f"The column '{name}' has {count} ids of '{node_type}', and the graph has {graph.nodes}. Make "
                "it of rows that the same preprocessor mapped: Graph.from_rows(batches, preprocessor.schema)."
            )
    for name in neighbours:
        side, relation = _relation_of(graph, schema, name, types)
        lists[side][relation] = name
    ends = [
        NodeEnd(name, node_type, count, lists[side])
        for (name, count), (side, node_type) in zip((query, item), types.items(), strict=True)
    ]
    return ends[0], ends[1]


def _relation_of(graph: Graph, schema: Schema, name: str, types: Mapping[str, str]) -> tuple[str, Relation]:
    """The side whose nodes a column lists neighbours of, and the relation by which these send messages."""
    columns: list[ColumnSchema] = [column for column in schema if column.name == name]
    sides = [side for side in types for column in columns if side in column.tags]
    if not columns or columns[0].kind is not Kind.ID_LIST or len(sides) != 1:
        raise ValueError(
            f"neighbours names columns of id lists tagged USER or ITEM. '{name}' is none, of {schema.column_names}."
        )
    domain, target = columns[0].domain_name, types[sides[0]]
    found = [relation for relation in graph.relations if (relation.source, relation.target) == (domain, target)]
    if len(found) != 1:
        raise ValueError(
            f"The neighbours '{name}' are of '{domain}', from which {len(found)} relations lead to '{target}', "
            f"{[str(relation) for relation in found]}; it takes one. Give the column the domain of the nodes "
            f"that it lists, one of {sorted(graph.nodes)}."
        )
    return sides[0], found[0]
