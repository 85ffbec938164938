"""Text to ids of its words, word n-grams and character n-grams."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as text

from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform, Values, flat, lookup_table
from tfdual.schema import ColumnSchema


@dataclass(frozen=True)
class NGrams:
    """Which pieces of a text become ids.

    Text is normalised (NFKC, case folded) and split into runs of letters and digits.

    Args:
        words: int. Word n-grams of 1 to `words` words. Defaults to 1: single words.
        characters: tuple[int, int]. Shortest and longest character n-gram inside a word, whose ends are marked by
            `<` and `>` as fastText does. Defaults to `None`: no character n-grams.
        max_words: int. Words kept of a text, from its start. Defaults to 256.

    Raises:
        ValueError: a bound below 1, or a shortest n-gram that is longer than the longest.

    Reference: Bojanowski et al., 2017, arXiv:1607.04606
    """

    words: int = 1
    characters: tuple[int, int] | None = None
    max_words: int = 256

    def __post_init__(self) -> None:
        low, high = self.characters or (1, 1)
        if self.words < 1 or self.max_words < 1 or not 1 <= low <= high:
            raise ValueError(f"NGrams needs words >= 1, max_words >= 1 and 1 <= shortest <= longest. Received {self}.")

    def __call__(self, texts: Tensor) -> tf.RaggedTensor:
        """Strings `(batch,)` -> ragged strings `(batch, pieces)`."""
        normal = text.case_fold_utf8(text.normalize_utf8(texts, "NFKC"))
        spaced = tf.strings.regex_replace(normal, r"[^\p{L}\p{N}]+", " ")
        words = tf.strings.split(spaced)[:, : self.max_words]
        pieces = [words]
        pieces += [text.ngrams(words, n, reduction_type=text.Reduction.STRING_JOIN) for n in range(2, self.words + 1)]
        if self.characters is not None:
            pieces += [self._inside_words(words, n) for n in range(self.characters[0], self.characters[1] + 1)]
        return tf.concat(pieces, axis=1)

    def _inside_words(self, words: tf.RaggedTensor, n: int) -> tf.RaggedTensor:
        letters = tf.strings.unicode_split(tf.strings.join(["<", words, ">"]), "UTF-8")
        grams = text.ngrams(letters, n, reduction_type=text.Reduction.STRING_JOIN, string_separator="")
        return grams.merge_dims(1, 2)


class HashedText(Transform):
    """Text -> ids of its n-grams by a hash: no vocabulary, no unknown word, some collisions.

    Args:
        buckets: int. Ids are `1 .. buckets`. Defaults to 65,536.
        ngrams: NGrams. The pieces of text that get an id. Defaults to `NGrams()`.

    Raises:
        ValueError: fewer than 1 bucket.
    """

    def __init__(self, buckets: int = 65_536, ngrams: NGrams | None = None) -> None:
        if buckets < 1:
            raise ValueError(f"HashedText needs at least 1 bucket. Received {buckets}.")
        self.buckets = buckets
        self.ngrams = ngrams or NGrams()

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged int64 list over the buckets."""
        return _ids_column(column, self.buckets)

    def __call__(self, values: Tensor) -> tf.RaggedTensor:
        pieces = self.ngrams(values)
        return pieces.with_flat_values(tf.strings.to_hash_bucket_fast(pieces.flat_values, self.buckets) + 1)


class LearnedText(Transform):
    """Text -> ids of the n-grams that the rows were seen to hold; other n-grams share `buckets` ids by a hash.

    Args:
        max_size: int. Keep the most frequent n-grams. Defaults to 50,000.
        min_count: int. N-grams seen less often are not kept. Defaults to 2.
        buckets: int. Ids for all other n-grams; 0 drops them. Defaults to 1,000.
        ngrams: NGrams. The pieces of text that get an id. Defaults to `NGrams()`.

    Raises:
        ValueError: a bound out of range.
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
        self._counts: Counter = Counter()

    def update(self, column: ColumnSchema, values: Values) -> None:
        """Count the n-grams of one batch."""
        pieces = self.ngrams(tf.constant(flat(values), tf.string)).flat_values.numpy()
        self._counts.update(pieces.tolist())

    def finish(self) -> None:
        """Rank the n-grams and build the lookup table."""
        ranked = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        self.values = np.array([value for value, count in ranked if count >= self.min_count][: self.max_size], object)
        self._table = lookup_table(self.values, tf.string)

    @property
    def tables(self) -> list[Any]:
        """The lookup table."""
        return [self._table]

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """A ragged int64 list over vocabulary and buckets."""
        return _ids_column(column, len(self.values) + self.buckets)

    def __call__(self, values: Tensor) -> tf.RaggedTensor:
        pieces = self.ngrams(values)
        ids = self._table.lookup(pieces.flat_values)
        if not self.buckets:
            return tf.ragged.boolean_mask(pieces.with_flat_values(ids), pieces.with_flat_values(ids > 0))
        hashed = tf.strings.to_hash_bucket_fast(pieces.flat_values, self.buckets) + len(self.values) + 1
        return pieces.with_flat_values(tf.where(ids > 0, ids, hashed))


def _ids_column(column: ColumnSchema, last_id: int) -> ColumnSchema:
    domain = {"name": column.domain_name, "min": 0, "max": last_id}
    return ColumnSchema(column.name, column.tags, {**column.properties, "domain": domain}, "int64", is_list=True)
