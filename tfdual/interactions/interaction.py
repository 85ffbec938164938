"""How a query and an item become a score."""

from abc import ABC, abstractmethod
from typing import ClassVar

from keras import ops

from tfdual._typing import Tensor


class Interaction(ABC):
    """A function of what the two encoders give, without weights.

    A side is one vector, `(batch, dim)`, or several, `(batch, vectors, dim)`, of which those of zeros only fill the
    rows up to one length. A frozen dataclass: an index fits a model where their interactions are equal.

    Attributes:
        name: str. What a description calls it.
        rank: int. Of a batch of queries: 2, or 3 where a query is several vectors.
    """

    name: ClassVar[str]
    rank: ClassVar[int] = 3

    @abstractmethod
    def among(self, query: Tensor, item: Tensor) -> Tensor:
        """All queries with all items: `(queries, items)`."""

    @abstractmethod
    def each(self, query: Tensor, item: Tensor) -> Tensor:
        """Each query with items of its own, `(batch, candidates, ...)`: `(batch, candidates)`."""

    @abstractmethod
    def pooled(self, query: Tensor) -> Tensor:
        """One vector a query, `(batch, dim)`, by which an index of vectors finds candidates."""


def is_vector(rows: Tensor) -> Tensor:
    """Which rows, `(..., vectors, dim)`, don't only fill up: bool `(..., vectors)`."""
    return ops.any(ops.not_equal(rows, 0), axis=-1)
