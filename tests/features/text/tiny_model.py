"""Tiny models in directories like those of Hugging Face, with random weights, and what they give, by NumPy."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "##s", "milk", "and", "green", "!", ",", "a", "b"]
LAYERS, HEADS, DIM, WIDE, POSITIONS = 3, 2, 8, 12, 20
Tensors = dict[str, np.ndarray]


def bert_config(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "vocab_size": len(PIECES),
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_size": DIM,
        "intermediate_size": WIDE,
        "max_position_embeddings": POSITIONS,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
    } | changes


def bert_tensors(prefix: str = "", norm: Sequence[str] = ("weight", "bias"), positions: int = POSITIONS) -> Tensors:
    """Under the names of `transformers`."""
    names = {
        "embeddings.word_embeddings.weight": (len(PIECES), DIM),
        "embeddings.position_embeddings.weight": (positions, DIM),
        "embeddings.token_type_embeddings.weight": (2, DIM),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            names |= {f"{at}.attention.self.{part}.weight": (DIM, DIM), f"{at}.attention.self.{part}.bias": (DIM,)}
        names |= {f"{at}.attention.output.dense.weight": (DIM, DIM), f"{at}.attention.output.dense.bias": (DIM,)}
        names |= {f"{at}.intermediate.dense.weight": (WIDE, DIM), f"{at}.intermediate.dense.bias": (WIDE,)}
        names |= {f"{at}.output.dense.weight": (DIM, WIDE), f"{at}.output.dense.bias": (DIM,)}
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    names |= {f"{name}.{kind}": (DIM,) for name in norms for kind in norm}
    chance = np.random.default_rng(0)
    return {prefix + name: chance.normal(size=shape).astype("float32") for name, shape in names.items()}


def write_model(folder: Path, config: dict | None = None, tensors: Tensors | None = None, **files: str) -> Path:
    """A directory; `files` are contents by their names, with `__` for `/` and `_json` for `.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(bert_config() if config is None else config))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    save_file(bert_tensors() if tensors is None else tensors, folder / "model.safetensors")
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return folder


def sentence_transformer_files(mode: str, normalize: bool = True, max_length: int = 6) -> dict[str, str]:
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for name, path, kind in kinds
        if normalize or kind != "Normalize"
    ]
    names = ("cls_token", "mean_tokens", "max_tokens", "weightedmean_tokens")
    pooling = {f"pooling_mode_{name}": name == mode for name in names}
    return {
        "modules_json": json.dumps(modules),
        "1_Pooling__config_json": json.dumps(pooling | {"word_embedding_dimension": DIM}),
        "sentence_bert_config_json": json.dumps({"max_seq_length": max_length, "do_lower_case": False}),
    }


def write_roberta(folder: Path, model_type: str, size: int) -> Tensors:
    """A directory of `size` pieces without its vocabulary; returns the tensors as `bert_states` reads them."""
    names = ("word", "position", "token_type")
    words, positions, types = (f"embeddings.{name}_embeddings.weight" for name in names)
    tensors = bert_tensors(positions=POSITIONS + 2)
    tensors[words] = np.random.default_rng(1).normal(size=(size, DIM)).astype("float32")
    tensors[types] = tensors[types][:1]
    sizes = {"vocab_size": size, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1}
    config = bert_config(model_type=model_type, layer_norm_eps=1e-5, **sizes)
    write_model(folder, config, {f"roberta.{name}": tensor for name, tensor in tensors.items()})
    (folder / "vocab.txt").unlink()
    return tensors | {positions: tensors[positions][2:]}


def bert_states(tensors: Tensors, ids: Sequence[int], epsilon: float = 1e-12, read: int | None = None) -> np.ndarray:
    """The states of one text's tokens after all layers, float64 `(length, DIM)`, by loops over heads and rows.

    All tokens read the first `read` alone.
    """
    t = {name: tensor.astype("float64") for name, tensor in tensors.items()}
    x = t["embeddings.word_embeddings.weight"][list(ids)] + t["embeddings.position_embeddings.weight"][: len(ids)]
    x = normal(t, "embeddings.LayerNorm", x + t["embeddings.token_type_embeddings.weight"][0], epsilon)
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (linear(t, f"{at}.attention.self.{part}", x) for part in ("query", "key", "value"))
        mixed = np.zeros_like(x)
        for head in range(HEADS):
            own = slice(head * DIM // HEADS, (head + 1) * DIM // HEADS)
            for row in range(len(ids)):
                shares = np.exp(key[:read, own] @ query[row, own] / math.sqrt(DIM // HEADS))
                mixed[row, own] = shares / shares.sum() @ value[:read, own]
        x = normal(t, f"{at}.attention.output.LayerNorm", x + linear(t, f"{at}.attention.output.dense", mixed), epsilon)
        hidden = linear(t, f"{at}.intermediate.dense", x)
        hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
        x = normal(t, f"{at}.output.LayerNorm", x + linear(t, f"{at}.output.dense", hidden), epsilon)
    return x


def linear(tensors: Tensors, name: str, x: np.ndarray) -> np.ndarray:
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def normal(tensors: Tensors, name: str, x: np.ndarray, epsilon: float) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    return (
        centred / np.sqrt(x.var(axis=1, keepdims=True) + epsilon) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
    )
