"""Values that are ready as they are."""

from dataclasses import replace

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, refusal
from tfdual.schema import ColumnSchema, Kind


@register
class Passthrough(Transform):
    """Change nothing but the type: ids become int64, other numbers float32, and a text stays the text that it is.

    For vectors and weights that come from elsewhere, for ids whose domain says how many there are, and for text that an
    encoder of the model reads, such as `tfdual.features.TextEncoder`.

    Raises:
        TypeError: the column holds strings that are ids, or lists of strings.
    """

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32, int64 or text."""
        if column.kind is Kind.STRING:
            return column
        if column.dtype == "string":
            raise refusal(self, "numbers", column, "Use Vocabulary, HashBuckets or a transform of text.")
        return replace(column, dtype=_dtype(column))

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return values if column.kind is Kind.STRING else tf.cast(values, _dtype(column))


def _dtype(column: ColumnSchema) -> str:
    return "int64" if column.kind in (Kind.CATEGORICAL, Kind.ID_LIST) else "float32"
