"""Text to the ids of RoBERTa."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.features.text.byte_pair_merges import BytePairMerges
from tfdual.features.text.byte_pair_words import byte_pair_words
from tfdual.features.text.token_ids import PairLayout, beginning, between, ending

START, PADDING, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
NEEDED = (START, PADDING, END)
BYTES_A_WORD = 1_024


@register
class BytePairTokenizer:
    """Text -> ids of pairs of bytes, merged as Hugging Face's RoBERTa tokenizer does, `<s> ... </s>`.

    Case and spaces count; every text has ids, whatever its characters. Special tokens in a text, such as `<mask>`, are
    that token. A word of more than 1,024 bytes is cut there.

    Args:
        vocabulary: sequence of str. The place of a piece is its id; bytes are written as GPT-2 writes them.
        merges: sequence of str. Two pieces with a space between, the one that was learned first at the front.

    Raises:
        ValueError: the vocabulary lacks a special token, a byte, or a piece of the merges.

    Example:
        >>> bytes_as_written = [*byte_characters()]
        >>> tokenizer = BytePairTokenizer(["<s>", "<pad>", "</s>", *bytes_as_written, "te", "tea"], ["t e", "te a"])
        >>> tea = tokenizer(["tea"], max_length=8).to_list()[0]
        >>> tea == [0, tokenizer.vocabulary.index("tea"), 2]
        True

    Reference: Liu et al., 2019, arXiv:1907.11692; Radford et al., 2019, "Language models are unsupervised multitask
    learners"
    """

    def __init__(self, vocabulary: Sequence[str], merges: Sequence[str]) -> None:
        self.vocabulary, self.merges = list(vocabulary), list(merges)
        ids = {piece: place for place, piece in enumerate(self.vocabulary)}
        pairs = [tuple(merge.split(" ")) for merge in self.merges]
        needed = [*NEEDED, *byte_characters()]
        needed += [piece for pair in pairs for piece in (*pair, "".join(pair))]
        if missing := [piece for piece in dict.fromkeys(needed) if piece not in ids]:
            raise ValueError(
                f"A vocabulary of byte pairs holds {list(NEEDED)}, every byte and each merged piece. This one lacks "
                f"{missing[:5]}. Give the vocabulary that the merges belong to."
            )
        self.start_id, self.padding_id, self.end_id = (ids[name] for name in NEEDED)
        self._specials = [name for name in (*NEEDED, UNKNOWN, MASK) if name in ids]
        self._special_ids = [ids[name] for name in self._specials]
        self._byte_ids = [ids[character] for character in byte_characters()]
        learned = [(ids[left], ids[right], ids[left + right]) for left, right in pairs]
        self._merges = BytePairMerges(learned, len(self.vocabulary))

    def __call__(self, texts: Tensor, max_length: int) -> tf.RaggedTensor:
        """Ids, int32 `(batch, None)`, of each text's first `max_length - 2` pieces and the two ends."""
        return between(self.start_id, self.pieces(texts, max_length), self.end_id, max_length)

    def pieces(self, texts: Tensor, max_length: int, keep: str = "first") -> tf.RaggedTensor:
        """Ids `(batch, None)` of the pieces in each text's first `64 * max_length` bytes, or its last; no ends."""
        texts = (ending if keep == "last" else beginning)(texts, max_length)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False)
        words = byte_pair_words(texts, self._specials, MASK if MASK in self._specials else None)
        distinct, places = tf.unique(words.flat_values)
        pieces = tf.gather(self._pieces_of(distinct), places)
        return words.with_values(pieces).merge_dims(1, 2)

    def _pieces_of(self, words: Tensor) -> tf.RaggedTensor:
        """Ids of the pieces of each word, `(words, None)`."""
        special = words[:, None] == tf.constant(self._specials)
        symbols = tf.strings.bytes_split(tf.strings.substr(words, 0, BYTES_A_WORD, unit="BYTE"))
        values = tf.reshape(tf.io.decode_raw(symbols.values, tf.uint8), [-1])
        symbols = symbols.with_values(tf.gather(tf.constant(self._byte_ids), tf.cast(values, tf.int32)))
        own = tf.gather(tf.constant(self._special_ids), tf.argmax(tf.cast(special, tf.int32), axis=1))[:, None]
        is_special = tf.reduce_any(special, axis=1)
        merged = self._merges(symbols)
        both = tf.concat([merged, tf.RaggedTensor.from_tensor(own)], axis=0)
        rows = tf.range(tf.size(words))
        return tf.gather(both, tf.where(is_special, rows + tf.size(words), rows))

    @property
    def pair_layout(self) -> PairLayout:
        """`<s> first </s></s> second </s>`; the two are not told apart."""
        return PairLayout(self.start_id, self.end_id, ends_between=2, segments=False)

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    @property
    def readable(self) -> list[str]:
        """The pieces by id, as text; what is a part of a character stands as `\ufffd`."""
        bytes_of = {character: byte for byte, character in enumerate(byte_characters())}
        return [
            piece
            if piece in self._specials
            else bytes(bytes_of[character] for character in piece).decode("utf-8", "replace")
            for piece in self.vocabulary
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"vocabulary": self.vocabulary, "merges": self.merges}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BytePairTokenizer":
        """The tokenizer of a config."""
        return cls(**config)


def byte_characters() -> list[str]:
    """How each of the 256 bytes is written in a vocabulary: as its character where that can be seen, else as another.

    Reference: Radford et al., 2019
    """
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in seen else chr(next(others)) for byte in range(256)]
