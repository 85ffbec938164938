"""Text to its words, word n-grams and character n-grams."""

from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf
import tensorflow_text as text

from tfdual._register import register
from tfdual._typing import Tensor


@register
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

    def get_config(self) -> dict[str, Any]:
        """The arguments, by name."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NGrams":
        """The n-grams whose `get_config` that was."""
        return cls(**config | {"characters": tuple(config["characters"]) if config["characters"] else None})

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
