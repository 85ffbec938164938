"""The score of several vectors of a query, which the item looks at."""

from dataclasses import dataclass

from keras import ops

from tfdual._typing import Tensor
from tfdual.interactions.interaction import Interaction, is_vector


@dataclass(frozen=True)
class PolyAttention(Interaction):
    """A query is several codes, an item one vector, which attends over the codes: what a poly-encoder is.

    `score = (sum_c w_c code_c) . item`, with `w = softmax_c(scale code_c . item)`. That is `sum_c w_c (code_c . item)`:
    the products of codes and items are all that is computed, and no vector for each pair. In float32.

    Args:
        scale: float, above 0. Sharpens the attention: the paper's is 1; where codes and items have length 1, all of
            their products are alike, and about 10 to 20 tells them apart. Defaults to 1.

    Raises:
        ValueError: a scale that is not a number above 0.

    Example:
        >>> codes = ops.array([[[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])  # two, and one that fills up
        >>> PolyAttention(100.0).among(codes, ops.array([[3.0, 0.0], [0.0, -1.0]])).numpy().tolist()
        [[6.0, 0.0]]

    Reference: Humeau et al., 2020, "Poly-encoders", arXiv:1905.01969
    """

    name = "poly_attention"
    rank = 3

    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"The scale of the attention is a number above 0. Received {self.scale}.")

    def among(self, query: Tensor, item: Tensor) -> Tensor:
        """`(queries, codes, dim)`, `(items, dim)` -> `(queries, items)`."""
        query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
        queries, codes, dim = ops.shape(query)
        products = ops.matmul(item, ops.transpose(ops.reshape(query, (queries * codes, dim))))
        products = ops.reshape(products, (ops.shape(item)[0], queries, codes))
        return ops.transpose(self._scores(products, is_there(query)))

    def each(self, query: Tensor, item: Tensor) -> Tensor:
        """`(batch, codes, dim)`, `(batch, candidates, dim)` -> `(batch, candidates)`."""
        query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
        return self._scores(ops.matmul(item, ops.swapaxes(query, 1, 2)), is_there(query)[:, None])

    def pooled(self, query: Tensor) -> Tensor:
        """The mean of the codes, those of zeros left out, `(batch, dim)`."""
        count = ops.sum(ops.cast(is_there(query), query.dtype), axis=1, keepdims=True)
        return ops.sum(query, axis=1) / ops.maximum(count, 1)

    def _scores(self, products: Tensor, there: Tensor) -> Tensor:
        """From the products of items and codes, `(..., codes)`, to `(...)`; `there`: which codes are."""
        logits = products if self.scale == 1 else self.scale * products
        logits = logits + ops.where(there, 0.0, -float("inf"))
        most = ops.max(logits, axis=-1, keepdims=True, initial=-float("inf"))  # also of no item
        shares = ops.exp(logits - ops.stop_gradient(most))
        return ops.sum(shares * products, axis=-1) / ops.sum(shares, axis=-1)


def is_there(query: Tensor) -> Tensor:
    """Which codes don't only fill up, bool `(batch, codes)`; where none is, all are, and score 0."""
    there = is_vector(query)
    return ops.logical_or(there, ops.logical_not(ops.any(there, axis=1, keepdims=True)))
