"""How much of a text is read, which of its tokens are kept, and what stands around them."""

from dataclasses import dataclass

import tensorflow as tf

from tfdual._typing import Tensor

BYTES_A_TOKEN = 64  # ten times what a token of running text takes


def beginning(texts: Tensor, max_length: int) -> Tensor:
    """The first `64 * max_length` bytes of each text, so that a book costs no more than its first page."""
    return tf.strings.substr(texts, 0, BYTES_A_TOKEN * max_length, unit="BYTE")


def ending(texts: Tensor, max_length: int) -> Tensor:
    """The last `64 * max_length` bytes of each text."""
    size = BYTES_A_TOKEN * max_length
    first = tf.maximum(tf.strings.length(texts, unit="BYTE") - size, 0)
    return tf.strings.substr(texts, first, tf.fill(tf.shape(first), size), unit="BYTE")


def between(start: int, ids: tf.RaggedTensor, end: int, max_length: int) -> tf.RaggedTensor:
    """The first ids of each row, at most `max_length` with the two around them, int32 `(batch, None)`."""
    ids = tf.cast(ids[:, : max_length - 2], tf.int32)
    ends = tf.ones([ids.nrows(), 1], tf.int32)
    return tf.concat([start * ends, ids, end * ends], axis=1)


def padded(ids: tf.RaggedTensor, filling: int, length: int | None = None) -> tuple[Tensor, Tensor]:
    """Ids of one length, filled up at the end, and which of them there were, `(rows, length)`.

    Args:
        ids: `(rows, None)`.
        filling: int.
        length: int. Defaults to `None`: that of the longest row, and 1 where there is no row.
    """
    lengths = ids.row_lengths()
    longest = tf.cast(tf.maximum(tf.reduce_max(lengths), 1) if length is None else length, lengths.dtype)
    filled = ids.to_tensor(filling, shape=tf.stack([-1, longest]))
    return tf.ensure_shape(filled, [None, length]), tf.sequence_mask(lengths, longest)


@dataclass(frozen=True)
class PairLayout:
    """What a family puts around two texts that are read together.

    Args:
        start: int. The id before the first text.
        end: int. The id behind each text.
        ends_between: int. How many of them stand between the two. Defaults to 1.
        segments: bool. Whether the second text is told apart, from its first token to the last. Defaults to `True`.
    """

    start: int
    end: int
    ends_between: int = 1
    segments: bool = True

    @property
    def added(self) -> int:
        """How many ids are added."""
        return self.ends_between + 2


def paired(
    first: tf.RaggedTensor, second: tf.RaggedTensor, layout: PairLayout, max_length: int, keep: str
) -> tuple[tf.RaggedTensor, Tensor]:
    """Both texts of each row in one row of ids, of at most `max_length`.

    Where they are too long, the longer one is cut until both are of one length, and then both are.

    Args:
        first: ids `(batch, None)`.
        second: ids `(batch, None)`.
        layout: PairLayout.
        max_length: int.
        keep: str. `"first"` or `"last"`: the tokens of the first text that are kept; of the second the first are.

    Returns:
        int32 ids `(batch, None)`, and the place of the second text's first token, `(batch,)`.
    """
    room = max_length - layout.added
    one, other = (tf.cast(ids.row_lengths(), tf.int32) for ids in (first, second))
    short = tf.minimum(tf.minimum(one, other), room // 2)
    long = tf.minimum(tf.maximum(one, other), room - short)
    kept = tf.where(one <= other, short, long)
    first = _cut(first, one - kept if keep == "last" else tf.zeros_like(one), kept)
    second = _cut(second, tf.zeros_like(other), tf.where(one <= other, long, short))
    ends = tf.fill([first.nrows(), layout.ends_between], layout.end)
    start = tf.fill([first.nrows(), 1], layout.start)
    return tf.concat([start, first, ends, second, ends[:, :1]], axis=1), kept + 1 + layout.ends_between


def _cut(ids: tf.RaggedTensor, begin: Tensor, length: Tensor) -> tf.RaggedTensor:
    """Of each row the ids from `begin` on, `length` of them, int32."""
    first = tf.cast(ids.row_starts(), tf.int32) + begin
    places = tf.ragged.range(first, first + length)
    return tf.cast(tf.gather(ids.values, places), tf.int32)
