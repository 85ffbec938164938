"""Text to the ids of XLM-RoBERTa."""

import base64
from typing import Any

import tensorflow as tf
import tensorflow_text as text

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.features.text.token_ids import PairLayout, beginning, between, ending

OFFSET = 1  # of an id of XLM-RoBERTa to that of SentencePiece
UNKNOWN = 3


@register
class SentencePieceTokenizer:
    """Text -> ids of SentencePiece, moved as fairseq's are: `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, then the pieces.

    Args:
        model: str. SentencePiece's model file, `sentencepiece.bpe.model`, in base64.

    Reference: Conneau et al., 2020, arXiv:1911.02116; Kudo and Richardson, 2018, arXiv:1808.06226
    """

    padding_id, start_id, end_id = 1, 0, 2

    def __init__(self, model: str) -> None:
        self.model = model
        content = base64.b64decode(model)
        self._pieces = text.FastSentencepieceTokenizer(content)  # a constant of the graph, and no resource
        with tf.init_scope():
            self._size = int(text.SentencepieceTokenizer(content).vocab_size())

    def __call__(self, texts: Tensor, max_length: int) -> tf.RaggedTensor:
        """Ids, int32 `(batch, None)`, of each text's first `max_length - 2` pieces and the two ends."""
        return between(self.start_id, self.pieces(texts, max_length), self.end_id, max_length)

    def pieces(self, texts: Tensor, max_length: int, keep: str = "first") -> tf.RaggedTensor:
        """Ids `(batch, None)` of the pieces in each text's first `64 * max_length` bytes, or its last; no ends."""
        texts = (ending if keep == "last" else beginning)(texts, max_length)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        ids = self._pieces.tokenize(texts)
        return ids.with_flat_values(tf.where(ids.flat_values == 0, UNKNOWN, ids.flat_values + OFFSET))

    @property
    def pair_layout(self) -> PairLayout:
        """`<s> first </s></s> second </s>`; the two are not told apart."""
        return PairLayout(self.start_id, self.end_id, ends_between=2, segments=False)

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, with `<pad>` and `<mask>`."""
        return self._size + 2

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"model": self.model}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SentencePieceTokenizer":
        """The tokenizer of a config."""
        return cls(**config)
