"""The ids of XLM-RoBERTa: those of SentencePiece, moved as fairseq's are."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from tests.features.text.tiny_model import bert_states, write_roberta
from tfdual.features import TextEncoder

sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra text")

SENTENCES = [
    "the quick brown fox jumps over the lazy dog",
    "a cup of tea and a glass of milk",
    "der schnelle braune Fuchs springt über den faulen Hund",
    "une tasse de thé et un verre de lait",
    "日本語のテキスト 中文字符",
] * 4
TEXTS = ["a cup of thé", "", "quick   über\u200b fox ①", "unknown ☃ snow", "日本", "tea\ntea"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("xlm")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=120, hard_vocab_limit=False, minloglevel=2
    )
    size = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).vocab_size() + 2
    write_roberta(folder, "xlm-roberta", size)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    return folder


def ids_by_sentence_piece(directory: Path, text: str) -> list[int]:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(directory / "sentencepiece.bpe.model"))
    return [0, *(3 if one == 0 else one + 1 for one in processor.encode(text)), 2]


def test_ids_are_those_of_sentence_piece_moved_by_one(directory: Path) -> None:
    tokenizer = TextEncoder.from_directory(directory).tokenizer
    found = tokenizer(tf.constant(TEXTS), 64).to_list()
    assert found == [ids_by_sentence_piece(directory, text) for text in TEXTS]
    assert found[1] == [0, 2]
    assert 3 in found[3]


def test_positions_begin_behind_those_of_the_padding(directory: Path) -> None:
    tensors = {name.removeprefix("roberta."): one for name, one in load_file(directory / "model.safetensors").items()}
    tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][2:]
    found = TextEncoder.from_directory(directory, pooling="cls")(tf.constant(TEXTS[:1]))
    ids = ids_by_sentence_piece(directory, TEXTS[0])
    np.testing.assert_allclose(found, bert_states(tensors, ids, epsilon=1e-5)[:1], atol=2e-5)


def test_graph_and_config_hold_the_model_file(directory: Path, tmp_path: Path) -> None:
    encoder = TextEncoder.from_directory(directory)
    assert encoder.max_length == 20
    wanted = encoder(tf.constant(TEXTS)).numpy()
    module = tf.Module()
    module.kept = [variable.value for variable in encoder.variables]
    module.serve = tf.function(lambda texts: encoder(texts), input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.serve(tf.constant(TEXTS)), wanted, atol=1e-6)
    config = json.loads(json.dumps(encoder.get_config()))
    assert (
        TextEncoder.from_config(config).tokenizer(["a cup"], 9).to_list() == encoder.tokenizer(["a cup"], 9).to_list()
    )
