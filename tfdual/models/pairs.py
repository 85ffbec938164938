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
        one_query: bool. Pairs of one list have one query, and their items are all in the list. Defaults to `False`.
    """

    lists: Tensor
    rows: Tensor | None = None
    one_query: bool = False


@dataclass(frozen=True)
class Pairs:
    """Queries and the item that each should find.

    Args:
        query: `(pairs, dim)`, without temperature.
        item: the positives, in the order of the queries.
        weight: `(pairs,)`. Defaults to `None`: 1 each.
        known: KnownItems. Defaults to `None`: a query's own item alone is right.
        batch_row: int `(pairs,)`. Which row of the batch each query is of, where a row has any number of pairs.
            Defaults to `None`: pair i is row i.
    """

    query: Tensor
    item: Items
    weight: Tensor | None = None
    known: KnownItems | None = None
    batch_row: Tensor | None = None
