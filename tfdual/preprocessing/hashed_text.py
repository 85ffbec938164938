"""Text to ids of its n-grams by a hash."""

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.column_types import check_text, id_list
from tfdual.preprocessing.ngrams import NGrams
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


@register
class HashedText(Transform):
    """Text -> ids of its n-grams by a hash: no vocabulary, no unknown word, some collisions.

    Args:
        buckets: int. Ids are `1 .. buckets`. Defaults to 65,536.
        ngrams: NGrams. The pieces of text that get an id. Defaults to `NGrams()`.

    Raises:
        ValueError: fewer than 1 bucket.
        TypeError: the column holds no single strings.
    """

    def __init__(self, buckets: int = 65_536, ngrams: NGrams | None = None) -> None:
        if buckets < 1:
            raise ValueError(f"HashedText needs at least 1 bucket. Received {buckets}.")
        self.buckets = buckets
        self.ngrams = ngrams or NGrams()

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged int64 list over the buckets."""
        check_text(self, column)
        return id_list(column, self.buckets + 1)

    def __call__(self, column: ColumnSchema, values: Tensor) -> tf.RaggedTensor:
        pieces = self.ngrams(values)
        return pieces.with_flat_values(tf.strings.to_hash_bucket_fast(pieces.flat_values, self.buckets) + 1)
