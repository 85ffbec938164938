"""Text -> vector, by a pretrained transformer."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfdual._build import build_once, deserialized, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual._vectors import unit
from tfdual.features.text.checkpoint import Checkpoint, Tokenizer, opened
from tfdual.features.text.hub_preset import read_preset
from tfdual.features.text.length_buckets import in_length_buckets
from tfdual.features.text.model_directory import read_directory
from tfdual.features.text.pooling import POOLINGS, pooled
from tfdual.features.text.text_transformer import TextTransformer, with_training
from tfdual.features.text.token_ids import padded

TOKENS_AT_ONCE = 2_048


@register
class TextEncoder(keras.layers.Layer):
    """Raw text -> one vector: tokens, a transformer, pooling.

    Tokens are cut at `max_length`, and of a text its first `64 * max_length` bytes are read. Bytes that are no UTF-8
    are left out; an empty text has the two tokens that stand around any. Outside training, equal texts are encoded
    once, in groups of about one length.

    Make one by `from_directory` or `from_preset`. A copy, such as another side of a two-tower gets, starts from the
    same weights. A saved model holds weights and vocabulary, and needs neither directory nor network.

    Args:
        tokenizer: WordPieceTokenizer, SentencePieceTokenizer or BytePairTokenizer.
        transformer: TextTransformer.
        pooling: str. `"cls"`, `"mean"`, `"max"`, or `"weighted"`: the mean in which the i-th token weighs i. Defaults
            to `"mean"`.
        normalize: bool. Vectors of length 1. Defaults to `False`.
        max_length: int. Tokens, with the two around them. Defaults to 256.
        source: str. The directory or preset that the weights came from. Defaults to `None`: they start at random.

    Input: string `(batch,)`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: an unknown pooling, a length beyond the positions, more pieces than the transformer has rows.
        TypeError: the input holds no strings, or lists of them.

    Example:
        >>> from tfdual.features.text import WordPieceTokenizer
        >>> tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s"])
        >>> transformer = TextTransformer(6, num_layers=1, num_heads=2, dim=8, feed_forward_dim=16)
        >>> tuple(TextEncoder(tokenizer, transformer)(tf.constant(["Teas", "tea"])).shape)
        (2, 8)

    Reference: Reimers and Gurevych, 2019, arXiv:1908.10084
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        transformer: TextTransformer,
        pooling: str = "mean",
        normalize: bool = False,
        max_length: int = 256,
        source: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is one of {POOLINGS}. Received {pooling!r}.")
        if not 2 < max_length <= transformer.max_length:
            raise ValueError(
                f"max_length is from 3 to {transformer.max_length}, the positions that the transformer knows. "
                f"Received {max_length}."
            )
        if tokenizer.vocabulary_size > transformer.vocabulary_size:
            raise ValueError(
                f"The vocabulary doesn't fit the model: it has {tokenizer.vocabulary_size} pieces, and the model "
                f"{transformer.vocabulary_size} rows. Give the vocabulary that the model was trained with."
            )
        self.tokenizer = tokenizer
        self.transformer = transformer
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.source = source

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.transformer.dim

    def build(self, input_shape: Shape | None = None) -> None:
        fresh = not self.transformer.built
        build_once(self.transformer)
        if fresh and (checkpoint := opened(self.source)) is not None:
            self.transformer.assign(checkpoint.arrays())

    def start_from(self, other: "TextEncoder") -> None:
        """Take the weights that another encoder of this structure has; where it has none yet, both read the same."""
        if other.transformer.built:
            build_once(self.transformer)
            self.transformer.set_weights(other.transformer.get_weights())

    def call(self, texts: Tensor, training: bool | None = None) -> Tensor:
        texts = tf.convert_to_tensor(texts)
        if texts.dtype != tf.string or len(texts.shape) != 1:
            raise TypeError(
                f"TextEncoder takes strings, one a row. Received {texts.dtype.name} of shape {texts.shape}. Pass the "
                "raw column."
            )
        if training and self.transformer.trainable_layers:
            vectors = self._encoded(self.tokenizer(texts, self.max_length), training)
        else:
            distinct, places = tf.unique(texts)
            ids = self.tokenizer(distinct, self.max_length)
            vectors = tf.gather(in_length_buckets(ids, self._encoded, self.dim, TOKENS_AT_ONCE), places)
        return with_training(ops.cast(vectors, self.compute_dtype), training)

    def _encoded(self, ids: tf.RaggedTensor, training: bool = False) -> Tensor:
        """Rows of ids to vectors, float32 `(rows, dim)`."""
        tokens, mask = padded(ids, self.tokenizer.padding_id)
        states = self.transformer(tokens, mask, training=training)
        vectors = pooled(states, mask, self.pooling)
        return unit(vectors) if self.normalize else vectors

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "tokenizer": serialized(self.tokenizer),
            "transformer": serialized(self.transformer),
            "pooling": self.pooling,
            "normalize": self.normalize,
            "max_length": self.max_length,
            "source": self.source,
        }

    @classmethod
    def from_config(cls, config: dict) -> "TextEncoder":
        return super().from_config(deserialized(config))

    @classmethod
    def from_directory(cls, path: str | Path, **options: Any) -> "TextEncoder":
        """The model of a local directory of Hugging Face: BERT, DistilBERT, RoBERTa or XLM-RoBERTa.

        It holds `config.json`, `model.safetensors`, and `vocab.txt`, `vocab.json` with `merges.txt`, or
        `sentencepiece.bpe.model`. Pooling,
        normalisation and length are those that a directory of sentence-transformers declares, else the mean, none, and
        as many tokens as the model has positions. Needs the extra `text`.

        Args:
            path: of the directory.
            options: `pooling`, `normalize`, `max_length` instead of what the directory says; `trainable_layers`, an int
                or `"all"`, 0 by default: nothing is trained; `dropout`; and what any Keras layer takes.

        Raises:
            FileNotFoundError: no directory, or a file is missing in it.
            ValueError: a model of another kind, a file that is damaged, a vocabulary or weights that don't fit.
            ImportError: the extra is not installed.
        """
        return cls._from_checkpoint(read_directory(Path(path)), **options)

    @classmethod
    def from_preset(cls, name: str, **options: Any) -> "TextEncoder":
        """A preset of KerasHub, such as `"bert_base_en_uncased"`, downloaded where it is not there yet.

        Args:
            name: str. Of a preset of BERT, DistilBERT, RoBERTa or XLM-RoBERTa.
            options: as of `from_directory`.

        Raises:
            ValueError: an unknown preset, or one of another kind.
            ImportError: the extra is not installed.
        """
        return cls._from_checkpoint(read_preset(name), **options)

    @classmethod
    def _from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        pooling: str | None = None,
        normalize: bool | None = None,
        max_length: int | None = None,
        trainable_layers: int | str = 0,
        dropout: float | None = None,
        **kwargs: Any,
    ) -> "TextEncoder":
        sizes = checkpoint.sizes | ({} if dropout is None else {"dropout": dropout})
        encoder = cls(
            checkpoint.tokenizer,
            TextTransformer(**sizes, trainable_layers=trainable_layers, dtype=kwargs.get("dtype")),
            checkpoint.pooling if pooling is None else pooling,
            checkpoint.normalize if normalize is None else normalize,
            checkpoint.max_length if max_length is None else max_length,
            checkpoint.source,
            **kwargs,
        )
        encoder.build()
        return encoder
