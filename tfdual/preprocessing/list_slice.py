"""The first or the last values of a list."""

from dataclasses import replace
from typing import Literal

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema


@register
class ListSlice(Transform):
    """Keep at most `max_length` values of a list, and pad it if you wish.

    A column that the list's property `"weights"` names is cut in the same way. Padding stands at the end and is 0, for
    weights too; so 0 in a padded list is either padding or an unknown value.

    Args:
        max_length: int. Values kept a row.
        keep: `"first"` or `"last"`. Which end of the list is kept. Defaults to `"first"`.
        pad: bool. Give dense rows of `max_length` values instead of ragged ones. Defaults to `False`.

    Raises:
        ValueError: `max_length` below 1, or another `keep`.
        TypeError: the column is no ragged list, or strings are to be padded.
    """

    def __init__(self, max_length: int, keep: Literal["first", "last"] = "first", pad: bool = False) -> None:
        if max_length < 1:
            raise ValueError(f"ListSlice keeps at least 1 value. Received max_length={max_length}.")
        if keep not in ("first", "last"):
            raise ValueError(f"ListSlice keeps the 'first' or the 'last' values. Received keep={keep!r}.")
        self.max_length = max_length
        self.keep = keep
        self.pad = pad

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged list, or one of width `max_length`."""
        if not column.is_ragged:
            raise refusal(self, "a ragged list", column, "Split strings first; vectors have one length.")
        if not self.pad:
            return column
        if column.dtype == "string":
            raise refusal(self, "numbers where it pads", column, "Put it behind the Vocabulary or HashBuckets.")
        return replace(column, is_ragged=False, dims=(None, self.max_length))

    def __call__(self, column: ColumnSchema, values: tf.RaggedTensor) -> Tensor:
        kept = values[:, : self.max_length] if self.keep == "first" else values[:, -self.max_length :]
        return kept.to_tensor(shape=[None, self.max_length]) if self.pad else kept
