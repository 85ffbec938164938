"""What a batch trains on."""

from dataclasses import dataclass

from tfdual._items import Items
from tfdual._typing import Tensor


@dataclass(frozen=True)
class KnownItems:
    """Ids of all items that are known to be right for queries.

    Args:
        lists: int, ragged `(lists, None)` or `(lists, n)` padded with 0.
        rows: int `(pairs,)`. Which list each query has. Defaults to `None`: query i has list i.
    """

    lists: Tensor
    rows: Tensor | None = None


@dataclass(frozen=True)
class Pairs:
    """Queries and the item that each should find.

    Args:
        query: `(pairs, dim)`, without temperature.
        item: the positives, in the order of the queries.
        weight: `(pairs,)`. Defaults to `None`: 1 each.
        known: KnownItems. Defaults to `None`: a query's own item alone is right.
        same_query: int or string `(pairs,)`. Pairs of one value have one query, and each other's items are known.
            Defaults to `None`: each pair may have a query of its own.
    """

    query: Tensor
    item: Items
    weight: Tensor | None = None
    known: KnownItems | None = None
    same_query: Tensor | None = None
