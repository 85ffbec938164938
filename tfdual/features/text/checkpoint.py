"""A pretrained model as it was read, before a layer is made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual.features.text.byte_pair_tokenizer import BytePairTokenizer
from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

Tokenizer = WordPieceTokenizer | SentencePieceTokenizer | BytePairTokenizer
_OPENED: dict[str, "Checkpoint"] = {}


@dataclass(frozen=True)
class Checkpoint:
    """What a `TextEncoder` is made of.

    Args:
        source: str. Its directory or preset.
        tokenizer: of its vocabulary.
        sizes: arguments of a `TextTransformer`.
        pooling: str. As it declares.
        normalize: bool. As it declares.
        max_length: int. As it declares.
        arrays: gives the weights, by their paths in a `TextTransformer`; reads them anew each time.
        pair_arrays: gives what a model of pairs has beside them, such of these as there are: `second_segment`, what is
            added to a token of the second text instead of the first; `pooler_kernel`, `pooler_bias`, of the layer on
            the first token; `score_kernel`, `score_bias`, of the last layer.
        pooler: str. Activation of the layer on the first token. Defaults to `"tanh"`.
    """

    source: str
    tokenizer: Tokenizer
    sizes: dict[str, Any]
    pooling: str
    normalize: bool
    max_length: int
    arrays: Callable[[], Mapping[str, np.ndarray]]
    pair_arrays: Callable[[], Mapping[str, np.ndarray]] = dict
    pooler: str = "tanh"


def remember(checkpoint: Checkpoint) -> Checkpoint:
    """Keep it for copies of the layers that are made of it: a config holds no weights."""
    _OPENED[checkpoint.source] = checkpoint
    return checkpoint


def opened(source: str | None) -> Checkpoint | None:
    """The checkpoint that this process read from there; None in a process that loads a saved model."""
    return None if source is None else _OPENED.get(source)
