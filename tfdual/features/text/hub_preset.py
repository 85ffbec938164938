"""A preset of KerasHub."""

import base64
from typing import Any

import numpy as np

from tfdual._optional import require
from tfdual.features.text.byte_pair_tokenizer import BytePairTokenizer
from tfdual.features.text.checkpoint import Checkpoint, Tokenizer, remember
from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

SENTENCE_PIECE, BYTE_PAIR = "XLMRobertaBackbone", "RobertaBackbone"
ACTIVATIONS = {"BertBackbone": "gelu_tanh", "DistilBertBackbone": "gelu", SENTENCE_PIECE: "gelu", BYTE_PAIR: "gelu"}
EPSILONS = {SENTENCE_PIECE: 1e-5, BYTE_PAIR: 1e-5}
ATTENTION = [f"self_attention_layer/{part}" for part in ("query", "key", "value")]
PARTS = {
    "mixed": "self_attention_layer/attention_output",
    "up": "feedforward_intermediate_dense",
    "down": "feedforward_output_dense",
}
POOLER = "pooled_dense"
NORMS = {"attention_norm": "self_attention_layer_norm", "feed_forward_norm": "feedforward_layer_norm"}


def read_preset(name: str) -> Checkpoint:
    """What a preset holds; the weights are copied, and the model of KerasHub is let go.

    Raises:
        ValueError: an unknown preset, or one of another kind.
        ImportError: the extra `text` is not installed.
    """
    hub = require("keras_hub", extra="text")
    backbone = hub.models.Backbone.from_preset(name)
    kind = type(backbone).__name__
    if kind not in ACTIVATIONS:
        raise ValueError(f"TextEncoder reads presets of {sorted(ACTIVATIONS)}. {name!r} is one of {kind}.")
    sizes = {
        "vocabulary_size": backbone.vocabulary_size,
        "num_layers": backbone.num_layers,
        "num_heads": backbone.num_heads,
        "dim": backbone.hidden_dim,
        "feed_forward_dim": backbone.intermediate_dim,
        "max_length": backbone.max_sequence_length,
        "activation": ACTIVATIONS[kind],
        "epsilon": EPSILONS.get(kind, 1e-12),
        "dropout": backbone.dropout,
    }
    values = {variable.path: variable.numpy() for variable in backbone.weights}
    found, of_pairs = _arrays(values, sizes), _pair_arrays(values)
    theirs = hub.tokenizers.Tokenizer.from_preset(name)
    tokenizer = _tokenizer(theirs, kind, "second_segment" in of_pairs)
    return remember(
        Checkpoint(name, tokenizer, sizes, "mean", False, sizes["max_length"], lambda: found, lambda: of_pairs)
    )


def _tokenizer(theirs: Any, kind: str, segments: bool) -> Tokenizer:
    if kind == SENTENCE_PIECE:
        return SentencePieceTokenizer(base64.b64encode(theirs.proto).decode())
    if kind == BYTE_PAIR:
        return BytePairTokenizer(sorted(theirs.vocabulary, key=theirs.vocabulary.get), theirs.merges)
    return WordPieceTokenizer(theirs.get_vocabulary(), theirs.lowercase, segments=segments)


def _arrays(values: dict[str, np.ndarray], sizes: dict[str, Any]) -> dict[str, np.ndarray]:
    """The weights by their paths in a `TextTransformer`."""
    dim, wide = sizes["dim"], sizes["feed_forward_dim"]
    tokens, positions = (_ending(values, f"{part}_embedding/embeddings") for part in ("token", "position"))
    segments = _segments(values)
    found = {"tokens": tokens, "positions": positions + segments[0][0] if segments else positions}
    for kind in ("gamma", "beta"):
        found[f"norm_{kind}"] = values[f"embeddings_layer_norm/{kind}"]
    shapes = {"mixed": (dim, dim), "up": (dim, wide), "down": (wide, dim)}
    for place in range(sizes["num_layers"]):
        ours, theirs = f"layer_{place}", f"transformer_layer_{place}"
        three = [(values[f"{theirs}/{part}/kernel"], values[f"{theirs}/{part}/bias"]) for part in ATTENTION]
        found[f"{ours}/attention_kernel"] = np.concatenate([kernel.reshape(dim, dim) for kernel, _ in three], axis=1)
        found[f"{ours}/attention_bias"] = np.concatenate([bias.reshape(dim) for _, bias in three])
        for part, name in PARTS.items():
            found[f"{ours}/{part}_kernel"] = values[f"{theirs}/{name}/kernel"].reshape(shapes[part])
            found[f"{ours}/{part}_bias"] = values[f"{theirs}/{name}/bias"]
        for norm, name in NORMS.items():
            found |= {f"{ours}/{norm}_{kind}": values[f"{theirs}/{name}/{kind}"] for kind in ("gamma", "beta")}
    return found


def _pair_arrays(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As a `Checkpoint` calls them."""
    paths = {f"pooler_{kind}": f"{POOLER}/{kind}" for kind in ("kernel", "bias")}
    found = {name: values[path] for name, path in paths.items() if path in values}
    for segments in _segments(values):
        found["second_segment"] = segments[1] - segments[0]
    return found


def _segments(values: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The table of segments, where there is one."""
    return [array for path, array in values.items() if path.startswith("segment_embedding/")]


def _ending(values: dict[str, np.ndarray], end: str) -> np.ndarray:
    (found,) = [array for path, array in values.items() if path.endswith(end)]
    return found
