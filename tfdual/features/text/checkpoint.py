"""A pretrained model as it was read, before a layer is made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

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
    """

    source: str
    tokenizer: WordPieceTokenizer | SentencePieceTokenizer
    sizes: dict[str, Any]
    pooling: str
    normalize: bool
    max_length: int
    arrays: Callable[[], Mapping[str, np.ndarray]]


def remember(checkpoint: Checkpoint) -> Checkpoint:
    """Keep it for copies of the layers that are made of it: a config holds no weights."""
    _OPENED[checkpoint.source] = checkpoint
    return checkpoint


def opened(source: str | None) -> Checkpoint | None:
    """The checkpoint that this process read from there; None in a process that loads a saved model."""
    return None if source is None else _OPENED.get(source)
