"""Two texts -> one vector, by full attention over both."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.text.checkpoint import opened
from tfdual.features.text.length_buckets import in_length_buckets
from tfdual.features.text.pooling import POOLINGS, pooled
from tfdual.features.text.text_encoder import TOKENS_AT_ONCE, TextEncoder
from tfdual.features.text.text_transformer import ALL, with_training
from tfdual.features.text.token_ids import ending, padded, paired

KEEPS = ("first", "last")


@register
class TextPairEncoder(keras.layers.Layer):
    """A query and an item, joined to `[CLS] query [SEP] item [SEP]` -> one vector: each token sees those of both texts.

    Ids are those that Hugging Face's tokenizers give for a pair. Where the pretrained model tells a second segment
    apart, as BERT does, the item and the `[SEP]` behind it are that; XLM-RoBERTa joins by `</s></s>`. A pair of more
    tokens than `max_length` is cut where it is longer: first the longer text, until both are of one length, then both
    ("longest first"). Outside training, pairs are encoded in groups of about one length, and each text is cut to tokens
    once, in however many pairs it stands.

    Args:
        encoder: TextEncoder. Its tokenizer and transformer; its pooling and normalisation are for single texts.
        pooling: str. `"cls"`: the first token's state; or `"mean"`, `"max"`, `"weighted"`, of all tokens. Defaults to
            `"cls"`.
        max_length: int. Tokens of a pair, with the three or four around them. Defaults to `None`: the encoder's.
        keep: str. Of a query that is cut, the `"first"` tokens are kept, or the `"last"`, as of a dialogue. Defaults to
            `"first"`.
        separator: str. Stands between the turns of a query that is a list. Defaults to `" "`.

    Input: string queries `(batch,)`, or lists of turns, ragged or padded with `""`, `(batch, turns)`; string items
        `(batch,)`; optionally `joined`, `(batch, encoder.dim)`: a vector that all tokens see as one more.
    Output: `(batch, encoder.dim)`.

    Raises:
        ValueError: an unknown pooling or side to keep; a length that leaves no room for both texts, or beyond the
            positions.
        TypeError: no strings.

    Example:
        >>> from tfdual.features.text import TextTransformer, WordPieceTokenizer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s"])
        >>> transformer = TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16)
        >>> pairs = TextPairEncoder(TextEncoder(tokenizer, transformer))
        >>> tuple(pairs(tf.constant(["tea", "tea"]), tf.constant(["Teas", ""])).shape)
        (2, 8)

    Reference: Devlin et al., 2019, arXiv:1810.04805
    """

    def __init__(
        self,
        encoder: TextEncoder,
        pooling: str = "cls",
        max_length: int | None = None,
        keep: str = "first",
        separator: str = " ",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is one of {POOLINGS}. Received {pooling!r}.")
        if keep not in KEEPS:
            raise ValueError(f"keep is one of {KEEPS}. Received {keep!r}.")
        added, most = encoder.tokenizer.pair_layout.added, encoder.transformer.max_length
        length = encoder.max_length if max_length is None else max_length
        if not added + 2 <= length <= most:
            raise ValueError(
                f"max_length is from {added + 2}, a token of each text and {added} around them, to {most}, the "
                f"positions that the transformer knows. Received {length}."
            )
        self.encoder = encoder
        self.pooling = pooling
        self.max_length = max_length
        self.keep = keep
        self.separator = separator

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.encoder.dim

    @property
    def pooler(self) -> str:
        """Activation of the layer on the first token that the encoder's checkpoint was trained with."""
        checkpoint = opened(self.encoder.source)
        return "tanh" if checkpoint is None else checkpoint.pooler

    def pair_arrays(self) -> Mapping[str, np.ndarray]:
        """What the encoder's checkpoint has of a model of pairs, as `Checkpoint` calls it; read anew each time."""
        checkpoint = opened(self.encoder.source)
        return {} if checkpoint is None else checkpoint.pair_arrays()

    @property
    def _segments(self) -> bool:
        return self.encoder.tokenizer.pair_layout.segments

    def build(self, input_shape: Any = None) -> None:
        build_once(self.encoder)
        if self._segments:
            start = self.pair_arrays().get("second_segment", 0.0)
            self.second_segment = self.add_weight(
                (self.dim,),
                lambda shape, dtype=None: ops.broadcast_to(ops.convert_to_tensor(start, dtype), shape),
                name="second_segment",
            )
        self._freeze()

    def train_last(self, trainable_layers: int | str) -> None:
        """Train that many of the last layers from now on, or `"all"`: everything. To be called before `compile`.

        Raises:
            ValueError: there aren't as many.
        """
        self.encoder.transformer.train_last(trainable_layers)
        if self.built:
            self._freeze()

    def _freeze(self) -> None:
        if self._segments:
            self.second_segment.trainable = self.encoder.transformer.trainable_layers == ALL

    def call(self, query: Tensor, item: Tensor, joined: Tensor | None = None, training: bool | None = None) -> Tensor:
        ids, starts = self._ids(self._one_text(query), _texts("items", item))
        if training and (self.encoder.transformer.trainable_layers or joined is not None):
            vectors = self._encoded(ids, starts, joined, training)
        else:
            beside = [starts] if joined is None else [starts, joined]
            vectors = in_length_buckets(ids, self._encoded, self.dim, TOKENS_AT_ONCE, *beside)
        return with_training(ops.cast(vectors, self.compute_dtype), training)

    def _ids(self, query: Tensor, item: Tensor) -> tuple[tf.RaggedTensor, Tensor]:
        """Ids of the pairs, and where their items begin."""
        tokenizer, most = self.encoder.tokenizer, self.max_length or self.encoder.max_length
        texts = tf.concat([ending(query, most) if self.keep == "last" else query, item], axis=0)
        distinct, places = tf.unique(texts)
        pieces = tf.gather(tokenizer.pieces(distinct, most), places)
        count = tf.shape(query)[0]
        return paired(pieces[:count], pieces[count:], tokenizer.pair_layout, most, self.keep)

    def _one_text(self, query: Tensor) -> Tensor:
        """Queries of turns as one text each."""
        if len(query.shape) == 2:
            turns = query if isinstance(query, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(query, padding="")
            return tf.strings.reduce_join(turns, axis=-1, separator=self.separator)
        return _texts("queries", query)

    def _encoded(
        self, ids: tf.RaggedTensor, starts: Tensor, joined: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Rows of ids to vectors, float32 `(rows, dim)`."""
        tokens, mask = padded(ids, self.encoder.tokenizer.padding_id)
        added = None
        if self._segments:
            second = tf.range(tf.shape(mask)[1]) >= starts[:, None]
            added = ops.cast(second[..., None], self.compute_dtype) * self.second_segment  # (rows, length, dim)
        states = self.encoder.transformer(tokens, mask, added=added, joined=joined, training=training)
        return pooled(states, mask, self.pooling)

    def compute_output_shape(self, query_shape: Shape, *others: Shape) -> Shape:
        return (query_shape[0], self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "encoder": serialized(self.encoder),
            "pooling": self.pooling,
            "max_length": self.max_length,
            "keep": self.keep,
            "separator": self.separator,
        }

    @classmethod
    def from_config(cls, config: dict) -> "TextPairEncoder":
        return super().from_config(deserialized(config))


def _texts(what: str, texts: Tensor) -> Tensor:
    texts = tf.convert_to_tensor(texts)
    if texts.dtype != tf.string or len(texts.shape) != 1:
        raise TypeError(
            f"A pair is of two strings, one pair a row. Received {what} of {texts.dtype.name}, of shape {texts.shape}. "
            "Pass the raw column."
        )
    return texts
