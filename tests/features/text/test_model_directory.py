"""A directory of Hugging Face: read, or refused with what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.features.text.tiny_model import PIECES, bert_config, bert_tensors, sentence_transformer_files, write_model
from tfdual.features import TextEncoder

TEXTS = tf.constant(["Teas, and milk!", "", "tea"])


@pytest.mark.parametrize("change", [{"prefix": "bert."}, {"norm": ("gamma", "beta")}])
def test_other_names_of_the_same_tensors_are_known(tmp_path: Path, change: dict) -> None:
    tensors = dict(zip(bert_tensors(**change), bert_tensors().values(), strict=True))
    plain, other = write_model(tmp_path / "plain"), write_model(tmp_path / "other", tensors=tensors)
    found = TextEncoder.from_directory(other)(TEXTS)
    np.testing.assert_array_equal(found, TextEncoder.from_directory(plain)(TEXTS))


def distilbert(folder: Path) -> Path:
    config = {
        "model_type": "distilbert",
        "vocab_size": len(PIECES),
        "n_layers": 3,
        "n_heads": 2,
        "dim": 8,
        "hidden_dim": 12,
        "max_position_embeddings": 20,
        "activation": "gelu",
        "dropout": 0.1,
    }
    renamed = {
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
        "encoder.layer": "transformer.layer",
    }
    tensors = {}
    for name, tensor in bert_tensors().items():
        for old, new in renamed.items():
            name = name.replace(old, new)
        tensors[f"distilbert.{name}"] = tensor
    first_segment = tensors.pop("distilbert.embeddings.token_type_embeddings.weight")[0]
    tensors["distilbert.embeddings.position_embeddings.weight"] += first_segment
    return write_model(folder, config, tensors)


def test_distilbert_is_bert_without_segments(tmp_path: Path) -> None:
    found = TextEncoder.from_directory(distilbert(tmp_path / "distilbert"))(TEXTS)
    np.testing.assert_allclose(found, TextEncoder.from_directory(write_model(tmp_path / "bert"))(TEXTS), atol=1e-6)


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def config(**changes: object) -> Callable[[Path], None]:
    return lambda folder: (folder / "config.json").write_text(json.dumps(bert_config(**changes))) and None


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def tensors(**changes: np.ndarray | None) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        changed = bert_tensors() | {name.replace("__", "."): tensor for name, tensor in changes.items()}
        write_model(folder, tensors={name: tensor for name, tensor in changed.items() if tensor is not None})

    return rewrite


def modules(*kinds: str, **pooling: bool) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        content = [{"path": f"{place}_{kind}", "type": f"st.models.{kind}"} for place, kind in enumerate(kinds)]
        write_model(folder, modules_json=json.dumps(content), **{"1_Pooling__config_json": json.dumps(pooling)})

    return add


ZEROS = np.zeros((3, 3), np.float32)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (without("config.json"), FileNotFoundError, "no config.json in .*reads config.json, model.safetensors"),
        (without("model.safetensors"), FileNotFoundError, "no model.safetensors in "),
        (without("vocab.txt"), FileNotFoundError, "no vocab.txt in "),
        (text("config.json", "{"), ValueError, "config.json is damaged"),
        (text("model.safetensors", "nothing"), ValueError, "model.safetensors is damaged"),
        (config(model_type="gpt2"), ValueError, "of the type 'gpt2'"),
        (config(hidden_act="swiglu"), ValueError, "The model's is 'swiglu'"),
        (config(position_embedding_type="relative_key"), ValueError, "The model's are 'relative_key'"),
        (config(vocab_size=9), ValueError, r"word_embeddings.weight is \(14, 8\) instead of \(9, 8\)"),
        (config(num_hidden_layers=4), ValueError, "lacks 16 tensors of the model, such as encoder.layer.3"),
        (tensors(encoder__layer__1__output__dense__weight=None), ValueError, "lacks 1 tensors .*layer.1.output.dense"),
        (tensors(encoder__layer__1__output__dense__weight=ZEROS), ValueError, r"is \(3, 3\) instead of \(8, 12\)"),
        (text("vocab.txt", "\n".join([*PIECES, "more"])), ValueError, "15 pieces, and the table 14 rows"),
        (text("vocab.txt", "[PAD]\n[UNK]\ntea"), ValueError, r"lacks \['\[CLS\]', '\[SEP\]'\]"),
        (text("vocab.txt", "\n".join([*PIECES[:-1], "a"])), ValueError, r"more than once: \['a'\]"),
        (modules("Transformer", "Pooling", "Dense", pooling_mode_cls_token=True), ValueError, r"also has \['Dense'\]"),
        (modules("Transformer", "Pooling", pooling_mode_lasttoken=True), ValueError, "declares .*lasttoken"),
        (
            modules("Transformer", "Pooling", pooling_mode_cls_token=True, pooling_mode_mean_tokens=True),
            ValueError,
            "pools in one way",
        ),
    ],
)
def test_a_bad_directory_is_refused_with_what_is_wrong(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    folder = write_model(tmp_path / "model")
    spoil(folder)
    with pytest.raises(error, match=message):
        TextEncoder.from_directory(folder)


def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(1_000, 8)).astype("float32")
    changed = bert_tensors() | {"embeddings.word_embeddings.weight": rows}
    folder = write_model(tmp_path, bert_config(vocab_size=1_000), changed)
    with pytest.raises(ValueError, match="14 pieces, and the table 1000 rows"):
        TextEncoder.from_directory(folder)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no directory .*nowhere"):
        TextEncoder.from_directory(tmp_path / "nowhere")


def test_length_is_at_most_the_positions(tmp_path: Path) -> None:
    write_model(tmp_path, **sentence_transformer_files("cls_token", max_length=512))
    assert TextEncoder.from_directory(tmp_path).max_length == 20
