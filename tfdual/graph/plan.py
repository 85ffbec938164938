"""Which nodes a layer computes, and along which relations."""

from collections.abc import Iterable, Sequence

from tfdual.graph.relation import Relation


class Plan:
    """What each layer has to compute, so that the last one gives the nodes of some types.

    Args:
        relations: those of the graph, and their inverses.
        ends: types of nodes that are wanted at the end.
        layers: int.

    Attributes:
        types: for each layer, and before the first, the types of nodes that are needed after it.
        relations: for each layer, the relations that lead to them.
    """

    def __init__(self, relations: Iterable[Relation], ends: Sequence[str], layers: int) -> None:
        every = list(relations)
        self.types: list[list[str]] = [list(dict.fromkeys(ends))]
        self.relations: list[list[Relation]] = []
        for _ in range(layers):
            used = [relation for relation in every if relation.target in self.types[0]]
            self.relations.insert(0, used)
            self.types.insert(0, list(dict.fromkeys([*self.types[0], *(relation.source for relation in used)])))

    def into(self, layer: int, node_type: str) -> list[Relation]:
        """The relations by which nodes of a type get messages in a layer."""
        return [relation for relation in self.relations[layer] if relation.target == node_type]
