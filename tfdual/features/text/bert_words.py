"""Text to words, as BERT's tokenizers of Hugging Face split it."""

import re
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as text

from tfdual._typing import Tensor
from tfdual.features.text.character_kinds import (
    ACCENTS,
    CHINESE,
    DROPPED,
    PUNCTUATION,
    SPACES,
    character_class,
)

MARKS = "\x01\x02\x03\x04\x05\x0e"  # stand for special tokens: cleaning leaves no other control character
NOT_A_MARK = "\x0f"
DROP, SPACE, SPLIT = (character_class(kind) for kind in (DROPPED, SPACES, PUNCTUATION))
ACCENT, CHINESE_CHARACTER = (character_class(kind) for kind in (ACCENTS, CHINESE))


def bert_words(
    texts: Tensor, specials: Sequence[str], lowercase: bool, strip_accents: bool, split_chinese: bool
) -> tf.RaggedTensor:
    """The words of each text, without its spaces and control characters.

    Args:
        texts: string `(batch,)`. Bytes that are no UTF-8 are left out.
        specials: at most six tokens that stay whole wherever they stand, such as `[MASK]`.
        lowercase: bool.
        strip_accents: bool. Decompose characters (NFD), and drop combining marks.
        split_chinese: bool. Each Chinese character is a word.

    Returns:
        Ragged strings `(batch, None)`.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")  # what is no UTF-8 becomes U+FFFD
    texts = tf.strings.regex_replace(texts, f"[{MARKS}]", NOT_A_MARK)
    for mark, special in zip(MARKS, specials, strict=False):
        texts = tf.strings.regex_replace(texts, re.escape(special), f" {mark} ")
    texts = tf.strings.regex_replace(texts, DROP, "")
    texts = tf.strings.regex_replace(texts, SPACE, " ")
    if split_chinese:
        texts = tf.strings.regex_replace(texts, f"({CHINESE_CHARACTER})", r" \1 ")
    if strip_accents:
        texts = tf.strings.regex_replace(text.normalize_utf8(texts, "NFD"), ACCENT, "")
    if lowercase:
        # ICU writes a sigma at the end of a word in its own way, which Hugging Face doesn't.
        texts = tf.strings.lower(tf.strings.regex_replace(texts, "Σ", "σ"), encoding="utf-8")
    words = text.regex_split(texts, f" +|{SPLIT}", SPLIT)
    flat = words.flat_values
    for mark, special in zip(MARKS, specials, strict=False):
        flat = tf.where(flat == mark, special, flat)
    return words.with_flat_values(flat)
