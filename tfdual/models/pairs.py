"""What a batch trains on."""

from dataclasses import dataclass

from tfdual._items import Items
from tfdual._typing import Tensor


@dataclass(frozen=True)
class Pairs:
    """Queries and the item that each should find.

    Args:
        query: `(pairs, dim)`, without temperature.
        item: the positives, in the order of the queries.
        weight: `(pairs,)`. Defaults to `None`: 1 each.
        known: int, ragged `(pairs, None)` or `(pairs, n)` padded with 0: ids of all items that are known to be right
            for the query. Defaults to `None`: its own item alone.
    """

    query: Tensor
    item: Items
    weight: Tensor | None = None
    known: Tensor | None = None
