"""The kinds of edges."""

from typing import NamedTuple

BACK = "~"


class Relation(NamedTuple):
    """A kind of edges: from nodes of one type to nodes of another, or of the same.

    Attributes:
        source: str. The type of the nodes that edges come from.
        name: str. What the edges mean; the same read against their direction has a `~` before it.
        target: str. The type of the nodes that they go to.
    """

    source: str
    name: str
    target: str

    @property
    def inverse(self) -> "Relation":
        """The same edges, read from their targets to their sources."""
        return Relation(self.target, self.name[1:] if self.is_back else BACK + self.name, self.source)

    @property
    def is_back(self) -> bool:
        """Whether edges are read against their direction."""
        return self.name.startswith(BACK)

    def __str__(self) -> str:
        return f"{self.source}>{self.name}>{self.target}"


def checked_relation(given: object, nodes: object) -> Relation:
    """The relation of a user's tuple.

    Args:
        given: what stands for a relation.
        nodes: the types of nodes that there are.

    Raises:
        ValueError: it is no tuple of three names, or names a type that isn't there.
    """
    if not isinstance(given, (tuple, list)) or len(given) != 3 or not all(isinstance(part, str) for part in given):
        raise ValueError(f"Edges are named (source type, name, target type), three strings. Received {given!r}.")
    relation = Relation(*given)
    if not relation.name or relation.is_back or set("/>") & set("".join(given)):
        raise ValueError(
            f"The name of edges has at least one character, doesn't begin with '{BACK}', and no name here holds '/' or "
            f"'>'. Received {tuple(given)}."
        )
    for node_type in (relation.source, relation.target):
        if node_type not in nodes:  # type: ignore[operator]
            raise ValueError(f"The edges {relation} name the node type '{node_type}'. There are {sorted(nodes)}.")  # type: ignore[call-overload]
    return relation
