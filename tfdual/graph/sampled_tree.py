"""Neighbours of neighbours, a fixed number of each."""

from collections.abc import Iterable, Mapping

from keras import ops

from tfdual._typing import Tensor
from tfdual.graph.relation import Relation

Path = tuple[Relation, ...]


def paths_from(root: str, relations: Iterable[Relation], depth: int) -> list[Path]:
    """The ways by which messages come to a node of type `root` over so many edges or fewer, the last edge first."""
    found: list[Path] = [()]
    level: list[Path] = [()]
    every = list(relations)
    for _ in range(depth):
        level = [(*path, relation) for path in level for relation in every if relation.target == _end(path, root)]
        found += level
    return found


def column_name(column: str, path: Path) -> str:
    """The column that holds the neighbours along a path: `user_id/item_id>~bought/user_id>bought`."""
    return "/".join([column, *(f"{relation.source}>{relation.name}" for relation in path)])


def _end(path: Path, root: str) -> str:
    return path[-1].source if path else root


class SampledTree:
    """The nodes of a batch, and their sampled neighbours, as `NeighbourSampler` puts them into its columns.

    Args:
        columns: of a batch.
        column: str. The column of the nodes' ids.
        root: str. Their type.
        relations: those of the graph, and their inverses.
        depth: int. How many layers the encoder has.

    Attributes:
        ids: int `(nodes,)` by path; -1 where there is no neighbour.

    Raises:
        ValueError: a column of neighbours is missing.
    """

    def __init__(
        self, columns: Mapping[str, Tensor], column: str, root: str, relations: Iterable[Relation], depth: int
    ) -> None:
        self._root, self._paths = root, paths_from(root, relations, depth)
        names = {path: column_name(column, path) for path in self._paths}
        if missing := [name for name in names.values() if name not in columns]:
            raise ValueError(
                f"The batch lacks the sampled neighbours {missing}. Give the NeighbourSampler the fan-out of each of "
                f"the encoder's {depth} layers, and the graph of the model."
            )
        self._fan_outs = {path: columns[name].shape[-1] for path, name in names.items()}
        self.ids = {path: ops.reshape(columns[name], (-1,)) for path, name in names.items()}

    def paths(self, depth: int) -> list[Path]:
        """Those of so many edges or fewer."""
        return [path for path in self._paths if len(path) <= depth]

    def node_type(self, path: Path) -> str:
        """What stands at the end of a path."""
        return _end(path, self._root)

    def rows(self, path: Path) -> Tensor:
        """Which node of the path before it each node is a neighbour of."""
        fan_out = self._fan_outs[path]
        return ops.arange(ops.shape(self.ids[path])[0]) // fan_out


def is_sampled(columns: Mapping[str, Tensor], column: str) -> bool:
    """Whether a batch holds sampled neighbours of the nodes of a column."""
    return any(name.startswith(f"{column}/") and ">" in name for name in columns)
