"""What sources of negatives see of a training step."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from tfdual._items import Items
from tfdual._typing import Tensor


def inner_products(query: Tensor, item: Tensor) -> Tensor:
    """Scores of queries, `(batch, dim)`, and items of their own, `(batch, candidates, dim)`: `(batch, candidates)`."""
    return ops.squeeze(ops.matmul(item, query[..., None]), axis=-1)


@dataclass(frozen=True)
class Batch:
    """One training batch, encoded.

    Args:
        columns: dict of name -> `(batch, ...)`, the model-ready columns.
        query: `(pairs, dim)`, or `(pairs, vectors, dim)`, not divided by a temperature. A row of the batch has one
            pair, or any number where a list is trained at each position.
        item: Items. Item `i` is the positive of query `i`. `log_probability` is that of one training example to hold
            the item; None where sampling is not corrected for.
        encode_item: function of model-ready item columns, dict of name -> `(items, ...)`, to `Items` with a gradient,
            whose ids and log-probability come from the columns.
        score: function of queries and items of their own, `(pairs, candidates, ...)`, to the model's scores, `(pairs,
            candidates)`. Defaults to inner products.
    """

    columns: dict[str, Tensor]
    query: Tensor
    item: Items
    encode_item: Callable[[dict[str, Tensor]], Items]
    score: Callable[[Tensor, Tensor], Tensor] = inner_products
