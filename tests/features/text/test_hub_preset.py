"""Presets of KerasHub give what KerasHub gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.features.text.tiny_model import PIECES
from tfdual.features import TextEncoder
from tfdual.features.text.byte_pair_tokenizer import byte_characters

keras_hub = pytest.importorskip("keras_hub", reason="needs the extra text")

SIZES = {"vocabulary_size": len(PIECES), "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
TEXTS = ["Teas, and milk!", "", "tea"]


def preset(folder: Path, backbone: Any, tokenizer: Any) -> str:
    chance = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(chance.normal(size=weight.shape) * 0.5)
    backbone.save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))
    return str(folder)


@pytest.mark.parametrize("family", ["Bert", "DistilBert"])
def test_vectors_are_those_of_the_backbone(tmp_path: Path, family: str) -> None:
    backbone = getattr(keras_hub.models, f"{family}Backbone")(**SIZES, max_sequence_length=16)
    tokenizer = getattr(keras_hub.tokenizers, f"{family}Tokenizer")(PIECES, lowercase=True)
    encoder = TextEncoder.from_preset(preset(tmp_path, backbone, tokenizer))
    ids = encoder.tokenizer(tf.constant(TEXTS), 16)
    mask = tf.sequence_mask(ids.row_lengths(), dtype=tf.int32)
    inputs = {"token_ids": ids.to_tensor(), "padding_mask": mask, "segment_ids": tf.zeros_like(mask)}
    if family == "DistilBert":
        del inputs["segment_ids"]
    states = backbone(inputs)
    states = states["sequence_output"] if isinstance(states, dict) else states
    wanted = [states[row, :length].numpy().mean(axis=0) for row, length in enumerate(ids.row_lengths().numpy())]
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), wanted, atol=1e-5)


def test_roberta_gives_the_vectors_of_its_backbone_for_its_tokenizers_ids(tmp_path: Path) -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *byte_characters(), "te", "tea", "Ġm", "<mask>"]
    backbone = keras_hub.models.RobertaBackbone(**SIZES | {"vocabulary_size": len(pieces)}, max_sequence_length=16)
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = keras_hub.tokenizers.RobertaTokenizer(vocabulary, ["t e", "te a", "Ġ m"])
    encoder = TextEncoder.from_preset(preset(tmp_path, backbone, tokenizer))
    ids = encoder.tokenizer(tf.constant(TEXTS), 16)
    assert [row[1:-1] for row in ids.to_list()] == [np.asarray(tokenizer(text)).tolist()[:14] for text in TEXTS]
    mask = tf.sequence_mask(ids.row_lengths(), dtype=tf.int32)
    states = backbone({"token_ids": ids.to_tensor(1), "padding_mask": mask})
    wanted = [states[row, :length].numpy().mean(axis=0) for row, length in enumerate(ids.row_lengths().numpy())]
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), wanted, atol=1e-5)


def test_a_preset_of_another_kind_is_refused(tmp_path: Path) -> None:
    backbone = keras_hub.models.AlbertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4, embedding_dim=4
    )
    backbone.save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="is one of AlbertBackbone"):
        TextEncoder.from_preset(str(tmp_path))
