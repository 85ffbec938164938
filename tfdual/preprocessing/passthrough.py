"""Values that are ready as they are."""

from dataclasses import replace

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.missing_values import floats
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema, Kind


@register
class Passthrough(Transform):
    """Change nothing but the type: ids become int64, other numbers float32; a text, or a list of texts, stays as it is.

    For vectors and weights that come from elsewhere, for ids whose domain says how many there are, and for text that an
    encoder of the model reads, such as `tfdual.features.TextEncoder`.

    Raises:
        TypeError: the column holds strings that are ids.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32, int64 or text."""
        if _is_text(column):
            return column
        if column.dtype == "string":
            raise refusal(self, "numbers", column, "Use Vocabulary, HashBuckets or a transform of text.")
        return replace(column, dtype=_dtype(column))

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        if _is_text(column):
            return values
        dtype = _dtype(column)
        return tf.cast(values, dtype) if dtype == "int64" else floats(column, values, dtype)


def _is_text(column: ColumnSchema) -> bool:
    """A text, or a list of texts such as the turns of a dialogue."""
    return column.kind is Kind.STRING or (column.is_list and column.dtype == "string")


def _dtype(column: ColumnSchema) -> str:
    return "int64" if column.kind in (Kind.CATEGORICAL, Kind.ID_LIST) else "float32"
