"""The edges of one relation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual.graph.relation import Relation

SHOWN = 5


@dataclass(frozen=True)
class Edges:
    """Edges in the order of their targets, and then of their sources; each pair stands once.

    Args:
        sources: int32 `(edges,)`. Ids of the nodes that they come from.
        targets: int32 `(edges,)`. Ids of the nodes that they go to.
        weights: float32 `(edges,)`, above 0.
    """

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def inverse(self) -> "Edges":
        """The same edges, from their targets to their sources."""
        order = np.argsort(self.sources, kind="stable")
        return Edges(self.targets[order], self.sources[order], self.weights[order])

    def starts(self, targets: int) -> np.ndarray:
        """Where the edges of each target begin, and at last where they end, int64 `(targets + 1,)`."""
        return np.searchsorted(self.targets, np.arange(targets + 1)).astype(np.int64)


def merged_edges(relation: Relation, columns: Sequence[Any], sources: int, targets: int) -> Edges:
    """Checked edges; where a pair stands several times, its weights are added up.

    Args:
        relation: Relation, for messages.
        columns: ids of the sources, of the targets, and weights where there are any.
        sources: int. How many nodes of the source type there are.
        targets: int. How many nodes of the target type there are.

    Raises:
        ValueError: arrays that are not of one length, ids outside the nodes, weights that are not above 0.
        TypeError: ids that are no integers.
    """
    if len(columns) not in (2, 3):
        raise ValueError(f"Edges {relation} are (sources, targets) or (sources, targets, weights). Received {columns}.")
    first = _ids(columns[0], f"sources of the edges {relation}", relation.source, sources)
    last = _ids(columns[1], f"targets of the edges {relation}", relation.target, targets)
    weights = np.ones(len(first), np.float32) if len(columns) == 2 else np.asarray(columns[2], np.float32)
    if not len(first) == len(last) == weights.size or weights.ndim != 1:
        raise ValueError(
            f"The edges {relation} have {len(first)} sources, {len(last)} targets and {weights.size} weights. Give one "
            "of each an edge."
        )
    if bad := bad_weights(weights):
        raise ValueError(f"The weights of the edges {relation} are above 0. Received {bad}. Leave these out.")
    pairs, place = np.unique(last * max(sources, 1) + first, return_inverse=True)
    merged = np.bincount(place, weights, len(pairs)).astype(np.float32)
    return Edges((pairs % max(sources, 1)).astype(np.int32), (pairs // max(sources, 1)).astype(np.int32), merged)


def bad_weights(weights: np.ndarray) -> list[float]:
    """The first few weights that are not finite numbers above 0."""
    return weights[~(np.isfinite(weights) & (weights > 0))][:SHOWN].tolist()


def _ids(values: Any, what: str, node_type: str, count: int) -> np.ndarray:
    ids = np.asarray(values)
    if ids.ndim != 1:
        raise ValueError(f"The {what} are one id an edge, (edges,). Received the shape {ids.shape}.")
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"The {what} must be integers. Received {ids.dtype}. Map raw values with a `Preprocessor`.")
    ids = ids.astype(np.int64)
    outside = ids[(ids < 0) | (ids >= count)]
    if outside.size:
        raise ValueError(
            f"The {what} name nodes outside '{node_type}', which has {count}, 0 .. {count - 1}: "
            f"{outside[:SHOWN].tolist()}. Leave these edges out, or say that there are more nodes."
        )
    return ids
