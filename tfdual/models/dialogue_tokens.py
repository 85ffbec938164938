"""The turns of a dialogue to one row of token ids."""

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.features.text.checkpoint import Tokenizer

FIRST, LAST = "first", "last"


def dialogue_ids(tokenizer: Tokenizer, texts: Tensor, max_length: int, keep: str) -> tf.RaggedTensor:
    """`[CLS] turn [SEP] turn ... [SEP]`, at most `max_length` ids a row, int32 `(batch, None)`.

    Turns without a character but spaces are left out; where none is left, the row is that of an empty text.

    Args:
        tokenizer: of the encoder.
        texts: strings, `(batch,)`: one turn each; `(batch, None)`, ragged or padded with `""`: turns, oldest first.
        max_length: int. With the two ids around.
        keep: `"first"` or `"last"`. Which ids stay where there are more; of a turn, its first or last
            `64 * max_length` bytes are read.

    Raises:
        TypeError: no strings, or of another shape.
    """
    dialogues = _dialogues(texts)
    ids = tf.cast(tokenizer.pieces(dialogues.values, max_length, keep), tf.int32)
    ended = tf.concat([ids, tf.fill([ids.nrows(), 1], tokenizer.end_id)], axis=1)
    joined = dialogues.with_values(ended).merge_dims(1, 2)[:, :-1]
    within = max_length - 2
    kept = joined[:, -within:] if keep == LAST else joined[:, :within]
    ends = tf.ones([kept.nrows(), 1], tf.int32)
    return tf.concat([tokenizer.start_id * ends, kept, tokenizer.end_id * ends], axis=1)


def _dialogues(texts: Tensor) -> tf.RaggedTensor:
    """The turns that say something, ragged `(batch, None)`."""
    texts = texts if isinstance(texts, tf.RaggedTensor) else tf.convert_to_tensor(texts)
    if texts.dtype != tf.string or texts.shape.rank not in (1, 2):
        raise TypeError(
            "A dialogue is a string, or a list of strings, one a turn: (batch,) or (batch, turns). Received "
            f"{texts.dtype.name} of shape {texts.shape}. Pass the raw column."
        )
    if texts.shape.rank == 1:
        texts = texts[:, None]
    if not isinstance(texts, tf.RaggedTensor):
        texts = tf.RaggedTensor.from_tensor(texts)
    said = texts.with_values(tf.not_equal(tf.strings.strip(texts.values), ""))
    return tf.ragged.boolean_mask(texts, said)
