"""Text to ids of the n-grams that the rows were seen to hold."""

from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import to_arrow, to_tensor
from tfdual.preprocessing.column_types import check_text, id_list
from tfdual.preprocessing.ngrams import NGrams
from tfdual.preprocessing.transform import Transform
from tfdual.preprocessing.vocabulary import Vocabulary
from tfdual.schema import ColumnSchema

PIECES = ColumnSchema("piece", dtype="string")


@register
class LearnedText(Transform):
    """Text -> ids of the n-grams that the rows were seen to hold; other n-grams share `buckets` ids by a hash.

    Ids are `1 .. buckets` for other n-grams, then those of the vocabulary, which grows with later rows.

    Args:
        max_size: int. Keep the most frequent n-grams. Defaults to 50,000.
        min_count: int. N-grams seen less often are not kept. Defaults to 2.
        buckets: int. Ids for all other n-grams; 0 drops them. Defaults to 1,000.
        ngrams: NGrams. The pieces of text that get an id. Defaults to `NGrams()`.

    Raises:
        ValueError: a bound out of range.
        TypeError: the column holds no single strings.
    """

    def __init__(
        self, max_size: int = 50_000, min_count: int = 2, buckets: int = 1_000, ngrams: NGrams | None = None
    ) -> None:
        if max_size < 1 or min_count < 1 or buckets < 0:
            raise ValueError(
                "LearnedText needs max_size >= 1, min_count >= 1 and buckets >= 0. "
                f"Received {max_size}, {min_count} and {buckets}."
            )
        self.max_size = max_size
        self.min_count = min_count
        self.buckets = buckets
        self.ngrams = ngrams or NGrams()
        self._vocabulary = Vocabulary(min_count, max_size, max(buckets, 1))

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Count the n-grams of one batch."""
        self._vocabulary.update(PIECES, to_arrow(self.ngrams(to_tensor(column, values)).flat_values))

    def finish(self) -> None:
        """Append the n-grams that are new."""
        self._vocabulary.finish()

    def state(self) -> dict[str, Any]:
        """Those of the vocabulary."""
        return self._vocabulary.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the vocabulary."""
        self._vocabulary.restore(state)

    @property
    def values(self) -> np.ndarray:
        """The n-grams in order, as bytes. The id of the first is `buckets + 1`."""
        return self._vocabulary.values

    @property
    def tables(self) -> list[Any]:
        """The lookup table."""
        return self._vocabulary.tables

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged int64 list over buckets and vocabulary."""
        check_text(self, column)
        return id_list(column, 1 + self.buckets + len(self.values))

    def __call__(self, column: ColumnSchema, values: Tensor) -> tf.RaggedTensor:
        ids = self._vocabulary(PIECES, self.ngrams(values))
        if self.buckets:
            return ids + 1
        return tf.ragged.boolean_mask(ids, ids > 0)
