"""The score of two vectors."""

from dataclasses import dataclass

from keras import ops

from tfdual._typing import Tensor
from tfdual.interactions.interaction import Interaction


@dataclass(frozen=True)
class InnerProduct(Interaction):
    """`score = query . item`, each side one vector: what a bi-encoder or two-tower is.

    Example:
        >>> InnerProduct().among(ops.array([[1.0, 2.0]]), ops.array([[3.0, 0.0], [0.0, 4.0]])).numpy().tolist()
        [[3.0, 8.0]]
    """

    name = "inner_product"
    rank = 2

    def among(self, query: Tensor, item: Tensor) -> Tensor:
        """`(queries, dim)`, `(items, dim)` -> `(queries, items)`."""
        return ops.matmul(query, ops.transpose(item))

    def each(self, query: Tensor, item: Tensor) -> Tensor:
        """`(batch, dim)`, `(batch, candidates, dim)` -> `(batch, candidates)`."""
        return ops.squeeze(ops.matmul(item, query[..., None]), axis=-1)

    def pooled(self, query: Tensor) -> Tensor:
        """The query itself."""
        return query
