"""Text to the ids of BERT."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as text

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.features.text.bert_words import bert_words
from tfdual.features.text.token_ids import PairLayout, beginning, between, ending

PADDING, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
NEEDED = (PADDING, UNKNOWN, START, END)
CHARACTERS = 100  # a longer word is unknown


@register
class WordPieceTokenizer:
    """Text -> ids of words and parts of words, as Hugging Face's BERT tokenizers give them, `[CLS] ... [SEP]`.

    Control characters go, spaces and punctuation split, the longest piece that fits comes first. Special tokens in a
    text, such as `[MASK]`, are that token.

    Args:
        vocabulary: sequence of str. The place of a piece is its id.
        lowercase: bool. Defaults to `True`.
        strip_accents: bool. Defaults to `None`: as `lowercase`.
        split_chinese: bool. Each Chinese character is a word. Defaults to `True`.
        segments: bool. Whether the model tells the second text of a pair apart, as BERT does and DistilBERT doesn't.
            Defaults to `True`.

    Raises:
        ValueError: the vocabulary lacks a special token, or holds a piece twice.

    Example:
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s", "!"])
        >>> tokenizer(["Teas!", "tea milk"], max_length=8).to_list()
        [[2, 4, 5, 6, 3], [2, 4, 1, 3]]

    Reference: Devlin et al., 2019, arXiv:1810.04805
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_chinese: bool = True,
        segments: bool = True,
    ) -> None:
        if missing := [special for special in NEEDED if special not in vocabulary]:
            raise ValueError(f"A vocabulary of BERT holds {list(NEEDED)}. This one lacks {missing}. Give another.")
        if repeated := [piece for piece, times in Counter(vocabulary).items() if times > 1]:
            raise ValueError(f"The pieces of a vocabulary must differ. Received more than once: {repeated[:5]}.")
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_chinese = split_chinese
        self.segments = segments
        self.padding_id, self.start_id, self.end_id = (self.vocabulary.index(name) for name in (PADDING, START, END))
        self._specials = [special for special in (*NEEDED, MASK) if special in self.vocabulary]
        self._pieces = text.FastWordpieceTokenizer(
            self.vocabulary,
            max_bytes_per_word=4 * CHARACTERS,
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
            no_pretokenization=True,
        )

    def __call__(self, texts: Tensor, max_length: int) -> tf.RaggedTensor:
        """Ids, int32 `(batch, None)`, of each text's first `max_length - 2` pieces and the two ends."""
        return between(self.start_id, self.pieces(texts, max_length), self.end_id, max_length)

    def pieces(self, texts: Tensor, max_length: int, keep: str = "first") -> tf.RaggedTensor:
        """Ids `(batch, None)` of the pieces in each text's first `64 * max_length` bytes, or its last; no ends."""
        words = bert_words(
            (ending if keep == "last" else beginning)(texts, max_length),
            self._specials,
            self.lowercase,
            self.lowercase if self.strip_accents is None else self.strip_accents,
            self.split_chinese,
        )
        known = tf.strings.length(words.flat_values, "UTF8_CHAR") <= CHARACTERS
        words = words.with_flat_values(tf.where(known, words.flat_values, UNKNOWN))
        return self._pieces.tokenize(words).merge_dims(1, 2)

    @property
    def pair_layout(self) -> PairLayout:
        """`[CLS] first [SEP] second [SEP]`."""
        return PairLayout(self.start_id, self.end_id, segments=self.segments)

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "vocabulary": self.vocabulary,
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_chinese": self.split_chinese,
            "segments": self.segments,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WordPieceTokenizer":
        """The tokenizer of a config."""
        return cls(**config)
