"""Negatives that the training rows name themselves."""

from dataclasses import replace
from typing import Any, Self

import keras
from keras import ops

from tfdual._backend import is_ragged, rows_of_values
from tfdual._items import Items, keep_items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.catalogue import UNKNOWN, Catalogue
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.stored_catalogue import CatalogueLike, StoredCatalogue


@register
class ColumnNegatives(Negatives):
    """The items of an id list column, e.g. what was shown and not clicked, or hard negatives that were prepared.

    What one row names is a negative of every query of the batch, or of its own alone. They follow no distribution, and
    are there for certain.

    An item tower that reads the id alone needs no more. For one that reads other columns, and for the sampling
    correction, `adapt` reads the items. An id that is 0, or that the items lack, is masked out.

    Args:
        column: str. Column of model-ready ids, ragged `(batch, None)`, or `(batch, length)` padded with 0.
        item_id: str. The column of ids that the item tower reads. Defaults to `"item_id"`.
        shared: bool. Every query of the batch is trained against what each row names. `False`: a row's query against
            what that row names alone. Defaults to `True`.

    Raises:
        ValueError: a batch without the column.

    Example:
        >>> from tfdual.negatives import Batch
        >>> encode_item = lambda columns: Items(ops.ones((4, 3)), columns["item_id"])
        >>> columns = {"shown": ops.array([[5, 6], [7, 0]])}
        >>> batch = Batch(columns, ops.ones((2, 3)), Items(ops.ones((2, 3)), ops.array([1, 2])), encode_item)
        >>> items = ColumnNegatives("shown").draw(batch)
        >>> items.ids.numpy().tolist(), items.mask.numpy().tolist()
        ([5, 6, 7, 0], [True, True, True, False])

    Reference: Karpukhin et al., 2020, "Dense passage retrieval for open-domain question answering", arXiv:2004.04906
    """

    named_by_rows = True

    def __init__(self, column: str, item_id: str = "item_id", shared: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = column
        self.item_id = item_id
        self.shared = shared
        self._catalogue = StoredCatalogue("ColumnNegatives")
        self.supports_jit = keras.backend.backend() != "tensorflow"  # ragged lists; the items stay in main memory

    def adapt(self, items: CatalogueLike) -> Self:
        """Read the items' other columns; called again, take them from the new ones.

        Args:
            items: batches of model-ready items with the column `item_id`, or a `Catalogue`.

        Raises:
            ValueError, TypeError: see `Catalogue`.
        """
        self._catalogue.replace(Catalogue.of(items, self.item_id))
        return self

    def draw(self, batch: Batch) -> Items:
        """The items of all lists, one after another, encoded."""
        if self.column not in batch.columns:
            raise ValueError(
                f"ColumnNegatives reads the column '{self.column}'. The batch has {sorted(batch.columns)}. Add it to "
                "the schema, or leave this source out."
            )
        lists = batch.columns[self.column]
        items = self._drawn(batch, self._ids(lists))
        return items if self.shared else replace(items, row=rows_of_values(lists))

    def _drawn(self, batch: Batch, ids: Tensor) -> Items:
        known = ops.not_equal(ids, UNKNOWN)
        if not self._catalogue.is_there:
            return keep_items(batch.encode_item({self.item_id: ids}), known)
        positions, found = self._catalogue.positions(ids)
        items = batch.encode_item(self._catalogue.rows(positions))
        return keep_items(items, ops.logical_and(known, found))

    def _ids(self, lists: Tensor) -> Tensor:
        return lists.flat_values if is_ragged(lists) else ops.reshape(lists, (-1,))

    def save_own_variables(self, store: Any) -> None:
        """The items."""
        self._catalogue.save(store)

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` wrote."""
        self._catalogue.load(store)

    def get_config(self) -> dict:
        return super().get_config() | {"column": self.column, "item_id": self.item_id, "shared": self.shared}
