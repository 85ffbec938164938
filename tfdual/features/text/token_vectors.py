"""Text -> a vector for each of its tokens."""

import base64
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import unit
from tfdual.features.text.byte_pair_tokenizer import BytePairTokenizer
from tfdual.features.text.character_kinds import PUNCTUATION, SPACES
from tfdual.features.text.checkpoint import Tokenizer
from tfdual.features.text.length_buckets import in_length_buckets
from tfdual.features.text.text_encoder import TOKENS_AT_ONCE, TextEncoder
from tfdual.features.text.token_ids import padded
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

MASKS = ("[MASK]", "<mask>")
FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]  # before the pieces of SentencePiece, of which the first three are left out
SPACE_OF_PIECES = "2581"  # how SentencePiece writes a space


@register
class TokenVectors(keras.layers.Layer):
    """Raw text -> a vector for each of its tokens, of length 1; zeros where there is no token.

    `vector_i = normalize(projection(state_i))`, with the states of a `TextEncoder`'s transformer. An empty text has the
    vectors of the two tokens that stand around any. Outside training, equal texts are encoded once, in groups of about
    one length.

    Args:
        encoder: TextEncoder. Its tokenizer and transformer; it need not pool.
        projection: Keras layer that each state passes, such as `Dense(128, use_bias=False)`. Defaults to `None`: the
            states are the vectors.
        max_length: int. Tokens, with the two around them; the rest of a text is left out. Defaults to `None`: as of the
            encoder.
        augment: bool. Fill each text up to `max_length` tokens with `[MASK]`: they read the text, which doesn't read
            them, and each has a vector that counts. For queries. Defaults to `False`.
        skip_punctuation: bool. Tokens of punctuation and spaces alone have no vector, though the others read them. For
            items. Defaults to `False`.
        marker: str. A piece of the vocabulary that stands after the first token, and tells queries from items, such as
            `[unused0]`. Defaults to `None`: none.

    Input: string `(batch,)`.
    Output: `(batch, tokens, dim)`.

    Raises:
        ValueError: a length beyond the positions; a vocabulary that lacks the marker, or a mask to fill up with.
        TypeError: the input holds no strings, or lists of them.

    Example:
        >>> from tfdual.features.text import TextTransformer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s", "!"])
        >>> encoder = TextEncoder(tokenizer, TextTransformer(7, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16))
        >>> vectors = TokenVectors(encoder, keras.layers.Dense(4), skip_punctuation=True)(tf.constant(["Teas!", "tea"]))
        >>> tf.math.count_nonzero(vectors, axis=2).numpy().tolist()  # [CLS] tea ##s ! [SEP], and [CLS] tea [SEP]
        [[4, 4, 4, 0, 4], [4, 4, 4, 0, 0]]

    Reference: Khattab and Zaharia, 2020, "ColBERT", arXiv:2004.12832
    """

    def __init__(
        self,
        encoder: TextEncoder,
        projection: keras.layers.Layer | None = None,
        max_length: int | None = None,
        augment: bool = False,
        skip_punctuation: bool = False,
        marker: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False
        self.encoder = encoder
        self.projection = projection
        self.max_length = encoder.max_length if max_length is None else max_length
        self.augment = augment
        self.skip_punctuation = skip_punctuation
        self.marker = marker
        least, most = 3 + (marker is not None), encoder.transformer.max_length
        if not least <= self.max_length <= most:
            raise ValueError(
                f"max_length is from {least} to {most}, the positions that the transformer knows. "
                f"Received {self.max_length}."
            )
        pieces = _pieces(encoder.tokenizer)
        self._mask_id = self._place(MASKS, pieces, "leave augment out") if augment else None
        self._marker_id = None if marker is None else self._place((marker,), pieces, "take another marker, or none")
        self._skipped = _without_words(encoder.tokenizer, pieces) if skip_punctuation else None

    def _place(self, names: tuple[str, ...], pieces: list[str], advice: str) -> int:
        found = [pieces.index(name) for name in names if name in pieces]
        if not found:
            raise ValueError(f"The vocabulary has no piece {' or '.join(names)}: {advice}.")
        return found[0]

    @property
    def dim(self) -> int:
        """Width of a vector."""
        width = self.encoder.dim
        return width if self.projection is None else int(self.projection.compute_output_shape((None, width))[-1])

    def build(self, input_shape: Shape | None = None) -> None:
        build_once(self.encoder)
        if self.projection is not None:
            build_once(self.projection, (None, None, self.encoder.dim))

    def call(self, texts: Tensor, training: bool | None = None) -> Tensor:
        texts = tf.convert_to_tensor(texts)
        if texts.dtype != tf.string or len(texts.shape) != 1:
            raise TypeError(
                f"TokenVectors takes strings, one a row. Received {texts.dtype.name} of shape {texts.shape}. Pass the "
                "raw column."
            )
        if training:
            return ops.cast(self._vectors(self._ids(texts), training), self.compute_dtype)
        distinct, places = tf.unique(texts)
        ids = self._ids(distinct)
        width = self.max_length * self.dim
        vectors = in_length_buckets(ids, self._filled, width, TOKENS_AT_ONCE)
        vectors = tf.reshape(vectors, [-1, self.max_length, self.dim])
        if not self.augment:
            vectors = vectors[:, : tf.reduce_max(tf.concat([[0], ids.row_lengths()], axis=0))]
        return ops.cast(tf.gather(vectors, places), self.compute_dtype)

    def _ids(self, texts: Tensor) -> tf.RaggedTensor:
        """Ids, int32 `(batch, None)`, at most `max_length`."""
        if self._marker_id is None:
            return self.encoder.tokenizer(texts, self.max_length)
        ids = self.encoder.tokenizer(texts, self.max_length - 1)
        marker = tf.fill([ids.nrows(), 1], self._marker_id)
        return tf.concat([ids[:, :1], marker, ids[:, 1:]], axis=1)

    def _vectors(self, ids: tf.RaggedTensor, training: bool = False) -> Tensor:
        """Float32 `(batch, tokens, dim)`."""
        filling = self.encoder.tokenizer.padding_id if self._mask_id is None else self._mask_id
        tokens, read = padded(ids, filling, self.max_length if self.augment else None)
        states = self.encoder.transformer(tokens, read, training=training)
        if self.projection is not None:
            states = self.projection(states)
        vectors = unit(states)
        counted = tf.ones_like(read) if self.augment else read
        if self._skipped is not None:
            counted &= ~tf.gather(self._skipped, tokens)
        return tf.where(counted[..., None], vectors, 0.0)

    def _filled(self, ids: tf.RaggedTensor) -> Tensor:
        """Float32 `(batch, max_length * dim)`, with zeros at the end."""
        vectors = self._vectors(ids)
        spare = self.max_length - tf.shape(vectors)[1]
        return tf.reshape(tf.pad(vectors, [[0, 0], [0, spare], [0, 0]]), [-1, self.max_length * self.dim])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.max_length if self.augment else None, self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "encoder": serialized(self.encoder),
            "projection": serialized(self.projection),
            "max_length": self.max_length,
            "augment": self.augment,
            "skip_punctuation": self.skip_punctuation,
            "marker": self.marker,
        }

    @classmethod
    def from_config(cls, config: dict) -> "TokenVectors":
        return super().from_config(deserialized(config))


def _pieces(tokenizer: Tokenizer) -> list[str]:
    """The pieces, by id."""
    if isinstance(tokenizer, WordPieceTokenizer):
        return tokenizer.vocabulary
    if isinstance(tokenizer, BytePairTokenizer):
        return tokenizer.readable
    with tf.init_scope():
        model = tensorflow_text.SentencepieceTokenizer(base64.b64decode(tokenizer.model))
        pieces = model.id_to_string(tf.range(model.vocab_size())).numpy()
    return [*FAIRSEQ, *(piece.decode("utf-8", "replace") for piece in pieces[3:]), "<mask>"]


def _characters(ranges: str) -> frozenset[str]:
    """The characters of one of `character_kinds`."""
    bounds = [one.partition("-") for one in ranges.split()]
    return frozenset(chr(point) for low, _, high in bounds for point in range(int(low, 16), int(high or low, 16) + 1))


def _without_words(tokenizer: Tokenizer, pieces: list[str]) -> np.ndarray:
    """Whether each piece holds punctuation and spaces alone, bool `(pieces,)`."""
    characters = _characters(f"{PUNCTUATION} {SPACES} {SPACE_OF_PIECES}")
    mark = "##" if isinstance(tokenizer, WordPieceTokenizer) else ""
    return np.array([characters.issuperset(piece.removeprefix(mark) or piece) for piece in pieces])
