"""Text to the words that byte pairs are merged in."""

import re
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as text

from tfdual._typing import Tensor

SPACE = r"\t\n\x{0B}\f\r \x{85}\p{Z}"
MARK = "\U0010fffe"  # stands in no text: Unicode has no character there
HERE = r"\x{10FFFE}"
WORD = rf"'s|'t|'re|'ve|'m|'ll|'d| ?\pL+| ?\pN+| ?[^{SPACE}\pL\pN{HERE}]+|[{SPACE}]+"


def byte_pair_words(texts: Tensor, specials: Sequence[str], taking_spaces: str | None) -> tf.RaggedTensor:
    """The words of each text, `(batch, None)`: letters, digits or signs with the space before them, and other spaces.

    Of several spaces the last one belongs to the word after them.

    Args:
        texts: string `(batch,)`, UTF-8.
        specials: tokens that are words wherever they stand.
        taking_spaces: one of them, which takes the spaces before it in.

    Reference: Radford et al., 2019, "Language models are unsupervised multitask learners"
    """
    if taking_spaces is not None:
        texts = tf.strings.regex_replace(texts, f"[{SPACE}]+({re.escape(taking_spaces)})", r"\1")
    either = "|".join(map(re.escape, specials))
    texts = tf.strings.regex_replace(texts, f"({either})", rf"{MARK}\1{MARK}")
    texts = tf.strings.regex_replace(texts, f"([{SPACE}]+)([{SPACE}][^{SPACE}{HERE}])", rf"\1{MARK}\2")
    # A special token stands between two marks, so that the alternatives before it never begin inside it.
    return text.regex_split(texts, f"{either}|{WORD}|{HERE}", f"{either}|{WORD}")
