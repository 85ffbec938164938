"""The nodes that stand at the two sides of a graph model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tfdual.graph import Graph, Relation
from tfdual.graph.unknown_ids import unknown_ids
from tfdual.schema import ColumnSchema, Kind, Schema, Tags

Neighbours = Sequence[str] | Mapping[str, Sequence[str] | None]


@dataclass(frozen=True)
class NodeEnd:
    """The nodes of one side.

    Args:
        column: str. The column of their ids.
        node_type: str.
        nodes: int. How many there are.
        unknown: by type of nodes, how many first ids stand for unknown values.
        neighbours: by relation, the column of lists with neighbours of a node that the graph doesn't have.
    """

    column: str
    node_type: str
    nodes: int
    unknown: Mapping[str, int]
    neighbours: Mapping[Relation, str] = field(default_factory=dict)

    @property
    def first_known(self) -> int:
        """The first id of a known node."""
        return self.unknown[self.node_type]


def plain(neighbours: Neighbours | None) -> list[str] | dict[str, list[str] | None] | None:
    """The same in plain JSON types."""
    if isinstance(neighbours, Mapping):
        return {name: None if given is None else list(given) for name, given in neighbours.items()}
    return None if neighbours is None else list(neighbours)


def ends_of(
    graph: Graph, schema: Schema, query: tuple[str, int], item: tuple[str, int], neighbours: Neighbours
) -> tuple[NodeEnd, NodeEnd]:
    """The two sides.

    Args:
        graph: Graph.
        schema: Schema.
        query: the column of the queries' ids, and how many there are.
        item: the same of the items.
        neighbours: names of columns of lists, tagged `USER` or `ITEM`; or by name the relation that a list stands for.

    Raises:
        ValueError: the graph has no such nodes, or another number, or edges of those that stand for unknown values; a
            list that is no column of ids with one of the tags, or that doesn't tell which relation it stands for; two
            lists of one relation.
    """
    lists: dict[str, dict[Relation, str]] = {Tags.USER: {}, Tags.ITEM: {}}
    types: dict[str, str] = {Tags.USER: schema[query[0]].domain_name, Tags.ITEM: schema[item[0]].domain_name}
    for (name, count), node_type in zip((query, item), types.values(), strict=True):
        if graph.nodes.get(node_type) != count:
            raise ValueError(
                f"The column '{name}' has {count} ids of '{node_type}', and the graph has {graph.nodes}. Make "
                "it of rows that the same preprocessor mapped: Graph.from_rows(batches, preprocessor.schema)."
            )
    for name, given in (neighbours if isinstance(neighbours, Mapping) else dict.fromkeys(neighbours)).items():
        side, domain = _side_and_domain(schema, name)
        relation = _relation_of(graph, name, given, domain, types[side])
        if (other := lists[side].setdefault(relation, name)) != name:
            raise ValueError(f"The neighbours '{other}' and '{name}' both stand for {relation}. Leave one out.")
    unknown = unknown_ids(schema)
    ends = [
        NodeEnd(name, node_type, count, unknown, lists[side])
        for (name, count), (side, node_type) in zip((query, item), types.items(), strict=True)
    ]
    for end in ends:
        _refuse_edges_of_unknown_nodes(graph, end)
    return ends[0], ends[1]


def _refuse_edges_of_unknown_nodes(graph: Graph, end: NodeEnd) -> None:
    for relation in graph.relations:
        ids = graph.incoming(relation).targets
        if relation.target == end.node_type and len(ids) and (first := int(ids.min())) < end.first_known:
            raise ValueError(
                f"Nodes of '{end.node_type}' below {end.first_known} stand for unknown values and have no edges. "
                f"{relation} has one of node {first}. Make the graph of rows, Graph.from_rows(batches, "
                f"preprocessor.schema); or let ids begin at {end.first_known}, with as many more nodes."
            )


def _side_and_domain(schema: Schema, name: str) -> tuple[str, str]:
    """The side whose nodes a column lists neighbours of, and the type of these neighbours."""
    columns: list[ColumnSchema] = [column for column in schema if column.name == name]
    sides = [side for side in (Tags.USER, Tags.ITEM) for column in columns if side in column.tags]
    if not columns or columns[0].kind is not Kind.ID_LIST or len(sides) != 1:
        raise ValueError(
            f"neighbours names columns of id lists tagged USER or ITEM. '{name}' is none, of {schema.column_names}."
        )
    return sides[0], columns[0].domain_name


def _relation_of(graph: Graph, name: str, given: Sequence[str] | None, domain: str, target: str) -> Relation:
    """The relation by which the neighbours of a list send messages: the one that is named, or the only one."""
    leading = [relation for relation in graph.relations if (relation.source, relation.target) == (domain, target)]
    found = leading
    if given is not None:  # as edges from the node to its neighbours; where there are none, to it
        found = [relation for relation in leading if relation.inverse == tuple(given)]
        found = found or [relation for relation in leading if relation == tuple(given)]
    if len(found) == 1:
        return found[0]
    told = "" if given is None else f" Received {tuple(given)}."
    ways = [tuple(relation.inverse) for relation in leading]
    advice = (
        f"Name it, neighbours={{'{name}': relation}}, one of {ways}."
        if leading
        else f"Give the column the domain of the nodes that it lists, one of {sorted(graph.nodes)}."
    )
    raise ValueError(
        f"The neighbours '{name}' are of '{domain}', from which {len(leading)} relations lead to '{target}', and a "
        f"list stands for one.{told} {advice}"
    )
