"""Negatives that the training rows name by their texts."""

from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from tfdual._backend import equal_pairs, gathered, is_ragged, replicas, rows_of_values
from tfdual._items import Items, keep_items
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.negatives.batch import Batch
from tfdual.negatives.negatives import Negatives

HASHES = 2**62


@register
class TextNegatives(Negatives):
    """The texts of a column of lists, e.g. the candidates among which a dialogue's answer was to be chosen.

    What one row names is a negative of every query of the batch, or of its own alone; an empty text is none. The
    positive may stand among the candidates: a text that equals that of an item of the batch is this item, and no
    negative of its own query. Give equal texts one id: where several ids have a text, it is one of these items, and a
    negative of the queries of the others. The texts follow no distribution and have no probability, so that the model
    is trained with `sampling_correction=False`.

    Args:
        column: str. Column of texts, ragged `(batch, None)`, or `(batch, candidates)` padded with `""`.
        item: str. The column of text that the item's encoder reads; it must read no other.
        item_id: str. The model's column of item ids. Defaults to `"item_id"`.
        shared: bool. Every query of the batch is trained against what each row names. `False`: a row's query against
            what that row names alone. Defaults to `True`.

    Raises:
        ValueError: a batch without one of these columns.

    Example:
        >>> from keras import ops
        >>> encode_item = lambda columns: Items(ops.ones((4, 3)), columns["item_id"])
        >>> columns = {"others": tf.constant([["no", "yes"], ["no", ""]]), "answer": tf.constant(["yes", "ok"])}
        >>> columns["item_id"] = tf.constant([7, 8], tf.int64)
        >>> batch = Batch(columns, ops.ones((2, 3)), Items(ops.ones((2, 3)), columns["item_id"]), encode_item)
        >>> items = TextNegatives("others", "answer").draw(batch)
        >>> items.mask.numpy().tolist(), int(items.ids[1])  # the second text is the first row's item
        ([True, True, True, False], 7)

    Reference: Humeau et al., 2020, arXiv:1905.01969
    """

    named_by_rows = True

    def __init__(self, column: str, item: str, item_id: str = "item_id", shared: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = column
        self.item = item
        self.item_id = item_id
        self.shared = shared
        self.supports_jit = keras.backend.backend() != "tensorflow"  # strings

    def draw(self, batch: Batch) -> Items:
        """The texts of all lists, one after another, encoded."""
        wanted = (self.column, self.item, self.item_id)
        if lacking := [name for name in wanted if name not in batch.columns]:
            raise ValueError(
                f"TextNegatives reads the columns {list(wanted)}. The batch lacks {lacking}, and has "
                f"{sorted(batch.columns)}. Add them to the schema, or leave this source out."
            )
        lists = batch.columns[self.column]
        texts = lists.flat_values if is_ragged(lists) else tf.reshape(lists, [-1])
        ids = self._ids(texts, batch.columns[self.item], batch.columns[self.item_id])
        items = batch.encode_item({self.item: texts, self.item_id: ids})
        items = keep_items(items, tf.not_equal(texts, ""))
        return items if self.shared else replace(items, row=rows_of_values(lists))

    def _ids(self, texts: Tensor, own: Tensor, own_ids: Tensor) -> Tensor:
        """The id of the batch's item with that text, else a negative number that equal texts share."""
        hashes, own_hashes = (tf.strings.to_hash_bucket_fast(values, HASHES) for values in (texts, own))
        own_ids = tf.cast(own_ids, tf.int64)
        if replicas() > 1:
            own_hashes, own_ids = gathered(own_hashes), gathered(own_ids)
        pairs = equal_pairs(hashes, own_hashes)
        known = tf.gather(own_ids, pairs[:, 1])
        return tf.tensor_scatter_nd_update(-1 - hashes, pairs[:, :1], known)

    def get_config(self) -> dict:
        return super().get_config() | {
            "column": self.column,
            "item": self.item,
            "item_id": self.item_id,
            "shared": self.shared,
        }
