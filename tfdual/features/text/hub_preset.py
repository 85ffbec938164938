"""A preset of KerasHub."""

import base64
from typing import Any

import numpy as np

from tfdual._optional import require
from tfdual.features.text.checkpoint import Checkpoint, remember
from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

ACTIVATIONS = {"BertBackbone": "gelu_tanh", "DistilBertBackbone": "gelu", "XLMRobertaBackbone": "gelu"}
SENTENCE_PIECE = "XLMRobertaBackbone"
EPSILONS = {SENTENCE_PIECE: 1e-5}
ATTENTION = [f"self_attention_layer/{part}" for part in ("query", "key", "value")]
PARTS = {
    "mixed": "self_attention_layer/attention_output",
    "up": "feedforward_intermediate_dense",
    "down": "feedforward_output_dense",
}
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
    found = _arrays({variable.path: variable.numpy() for variable in backbone.weights}, sizes)
    tokenizer = _tokenizer(hub.tokenizers.Tokenizer.from_preset(name), kind == SENTENCE_PIECE)
    return remember(Checkpoint(name, tokenizer, sizes, "mean", False, sizes["max_length"], lambda: found))


def _tokenizer(theirs: Any, sentence_piece: bool) -> WordPieceTokenizer | SentencePieceTokenizer:
    if sentence_piece:
        return SentencePieceTokenizer(base64.b64encode(theirs.proto).decode())
    return WordPieceTokenizer(theirs.get_vocabulary(), theirs.lowercase)


def _arrays(values: dict[str, np.ndarray], sizes: dict[str, Any]) -> dict[str, np.ndarray]:
    """The weights by their paths in a `TextTransformer`."""
    dim, wide = sizes["dim"], sizes["feed_forward_dim"]
    tokens, positions = (_ending(values, f"{part}_embedding/embeddings") for part in ("token", "position"))
    segments = [array for path, array in values.items() if path.startswith("segment_embedding/")]
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


def _ending(values: dict[str, np.ndarray], end: str) -> np.ndarray:
    (found,) = [array for path, array in values.items() if path.endswith(end)]
    return found
