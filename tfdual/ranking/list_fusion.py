"""How lists are fused, as an object that can be kept and saved."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual.index import Neighbours
from tfdual.ranking.rank_fusion import reciprocal_rank_fusion, weighted_fusion


class ListFusion(ABC):
    """Several ranked lists of each query -> one."""

    @abstractmethod
    def fuse(self, lists: Sequence[Neighbours], depth: int | None = None) -> Neighbours:
        """The best `depth` of all, or all of them; as `reciprocal_rank_fusion` gives it."""

    def describe(self) -> dict[str, Any]:
        """Kind and settings, as plain JSON types."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return {"kind": type(self).__name__, **plain}

    @staticmethod
    def from_dict(described: Mapping[str, Any]) -> "ListFusion":
        """What `describe` told.

        Raises:
            ValueError: another kind.
        """
        kinds = {kind.__name__: kind for kind in ListFusion.__subclasses__()}
        settings = dict(described)
        if (kind := settings.pop("kind", None)) not in kinds:
            raise ValueError(f"Lists are fused by {sorted(kinds)}. Received {kind!r}.")
        return kinds[kind](**settings)


@dataclass(frozen=True)
class ReciprocalRank(ListFusion):
    """By the ranks alone: `reciprocal_rank_fusion`.

    Args:
        k: float, above -1. Defaults to 60.
        weights: one a list. Defaults to `None`: 1 each.

    Raises:
        ValueError: as there.
    """

    k: float = 60.0
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _as_tuples(self, "weights")
        self.fuse(_empty(self.weights))

    def fuse(self, lists: Sequence[Neighbours], depth: int | None = None) -> Neighbours:
        """As `reciprocal_rank_fusion`."""
        return reciprocal_rank_fusion([ids for ids, _ in lists], self.k, self.weights, depth)


@dataclass(frozen=True)
class WeightedScores(ListFusion):
    """By the scores, each list made comparable: `weighted_fusion`.

    Args:
        weights: one a list. `choose_weight` finds them. Defaults to `None`: 1 each.
        normalise: `"min-max"`, `"z-score"` or `None`. Defaults to `"min-max"`.
        minimums: the lowest score that there can be, or `None`, for each list. Defaults to `None`.

    Raises:
        ValueError: as there.
    """

    weights: Sequence[float] | None = None
    normalise: str | None = "min-max"
    minimums: Sequence[float | None] | None = None

    def __post_init__(self) -> None:
        _as_tuples(self, "weights", "minimums")
        self.fuse(_empty(self.weights if self.weights is not None else self.minimums))

    def fuse(self, lists: Sequence[Neighbours], depth: int | None = None) -> Neighbours:
        """As `weighted_fusion`."""
        return weighted_fusion(lists, self.weights, self.normalise, self.minimums, depth)


def _empty(of_each: Sequence[Any] | None) -> list[Neighbours]:
    """Lists of no query, to find what is wrong with the settings at once."""
    count = 2 if of_each is None else len(of_each)
    return [Neighbours(np.zeros((0, 1), np.int64), np.zeros((0, 1)))] * count


def _as_tuples(fusion: ListFusion, *names: str) -> None:
    """So that one that was loaded equals the one that was saved."""
    for name in names:
        if (value := getattr(fusion, name)) is not None:
            object.__setattr__(fusion, name, tuple(value))
