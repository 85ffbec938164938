"""Text to vectors: the numbers of another implementation, and of every way to save and train."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.features.text.tiny_model import (
    DIM,
    LAYERS,
    bert_states,
    bert_tensors,
    sentence_transformer_files,
    write_model,
)
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer

TEXTS = ["Teas, and milk!", "", "tea", "green green tea and milk, a b", "tea"]
IDS = [[2, 5, 6, 11, 8, 7, 10, 3], [2, 3], [2, 5, 3], [2, 9, 9, 5, 8, 7, 11, 12, 13, 3], [2, 5, 3]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def by_hand(pooling: str, ids: list[list[int]] = IDS, normalize: bool = False) -> np.ndarray:
    tensors, rows = bert_tensors(), []
    for one in ids:
        states = bert_states(tensors, one)
        places = np.arange(1, len(one) + 1)
        row = {
            "cls": states[0],
            "mean": states.mean(axis=0),
            "max": states.max(axis=0),
            "weighted": (states * places[:, None]).sum(axis=0) / places.sum(),
        }[pooling]
        rows.append(row / np.linalg.norm(row) if normalize else row)
    return np.array(rows)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "weighted"])
@pytest.mark.parametrize("normalize", [False, True])
def test_vectors_are_those_of_bert_by_hand(directory: Path, pooling: str, normalize: bool) -> None:
    encoder = TextEncoder.from_directory(directory, pooling=pooling, normalize=normalize)
    wanted = by_hand(pooling, normalize=normalize)
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), wanted, atol=2e-5)
    tuned = TextEncoder.from_directory(
        directory, pooling=pooling, normalize=normalize, trainable_layers="all", dropout=0
    )
    np.testing.assert_allclose(tuned(tf.constant(TEXTS), training=True), wanted, atol=2e-5)


@pytest.mark.parametrize(
    ("mode", "pooling", "normalize"),
    [("cls_token", "cls", True), ("mean_tokens", "mean", False), ("max_tokens", "max", True)],
)
def test_what_a_directory_of_sentence_transformers_declares_is_done(
    tmp_path: Path, mode: str, pooling: str, normalize: bool
) -> None:
    write_model(tmp_path, **sentence_transformer_files(mode, normalize, max_length=6))
    encoder = TextEncoder.from_directory(tmp_path)
    assert encoder.max_length == 6
    wanted = by_hand(pooling, [[*one[:-1][:5], 3] for one in IDS], normalize)
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), wanted, atol=2e-5)
    other = TextEncoder.from_directory(tmp_path, pooling="weighted", normalize=False, max_length=20)
    np.testing.assert_allclose(other(tf.constant(TEXTS)), by_hand("weighted"), atol=2e-5)


def test_a_text_has_the_same_vector_in_any_batch(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder.from_directory(directory)
    texts = [" ".join(["tea", "milk", "green"][: 1 + i % 3] * (1 + i % 5)) for i in range(40)]
    whole = encoder(tf.constant(texts)).numpy()
    alone = np.concatenate([encoder(tf.constant([one])).numpy() for one in texts])
    np.testing.assert_allclose(whole, alone, atol=2e-5)
    monkeypatch.setattr("tfdual.features.text.text_encoder.TOKENS_AT_ONCE", 16)
    np.testing.assert_allclose(encoder(tf.constant(texts)), alone, atol=2e-5)
    assert len(np.unique(alone.round(4), axis=0)) > 10


def test_no_text_gives_no_vector(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory)
    assert encoder(tf.zeros([0], tf.string)).shape == (0, DIM)


def trainable_paths(encoder: TextEncoder) -> set[str]:
    return {weight.path.split("text_transformer", 1)[1].split("/")[1] for weight in encoder.trainable_weights}


@pytest.mark.parametrize(
    ("trainable_layers", "wanted"),
    [
        (0, set()),
        (1, {"layer_2"}),
        (LAYERS, {"layer_0", "layer_1", "layer_2"}),
        ("all", {"tokens", "positions", "norm_gamma", "norm_beta", "layer_0", "layer_1", "layer_2"}),
    ],
)
def test_the_last_layers_alone_are_trained(directory: Path, trainable_layers: int | str, wanted: set[str]) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers=trainable_layers, name="encoder")
    assert trainable_paths(encoder) == wanted
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(tf.constant(TEXTS), training=True) * np.arange(DIM, dtype="float32"))
    every = [weight.value for weight in encoder.weights]
    moved = {
        weight.path.split("text_transformer", 1)[1].split("/")[1]
        for weight, gradient in zip(encoder.weights, tape.gradient(loss, every), strict=True)
        if gradient is not None
    }
    assert moved == wanted


def test_a_frozen_encoder_drops_nothing_and_a_trained_one_does(directory: Path) -> None:
    frozen = TextEncoder.from_directory(directory, dropout=0.5)
    np.testing.assert_array_equal(frozen(tf.constant(TEXTS), training=True), frozen(tf.constant(TEXTS)))
    trained = TextEncoder.from_directory(directory, dropout=0.5, trainable_layers=1)
    assert not np.allclose(trained(tf.constant(TEXTS), training=True), trained(tf.constant(TEXTS)))


def test_a_copy_starts_from_the_same_weights_and_goes_its_own_way(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers="all")
    copied = TextEncoder.from_config(encoder.get_config())
    copied.build()
    for one, other in zip(encoder.weights, copied.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    copied.weights[0].assign(copied.weights[0] + 1)
    assert not np.allclose(encoder.weights[0], copied.weights[0])


def test_saved_model_needs_no_directory(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "model")
    encoder = TextEncoder.from_directory(directory)
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, encoder(inputs))
    wanted = encoder(tf.constant(TEXTS)).numpy()
    model.save(tmp_path / "saved.keras")
    for path in sorted(directory.rglob("*"), reverse=True):
        path.unlink()
    from_elsewhere = keras.models.load_model(tmp_path / "saved.keras")
    np.testing.assert_allclose(from_elsewhere(tf.constant(TEXTS)), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"pooling": "last"}, ValueError, "pooling is one of .*Received 'last'"),
        ({"max_length": 21}, ValueError, "max_length is from 3 to 20.*Received 21"),
        ({"max_length": 2}, ValueError, "max_length is from 3 to 20.*Received 2"),
        ({"trainable_layers": 4}, ValueError, "trainable_layers is a number from 0 to 3.*Received 4"),
        ({"trainable_layers": -1}, ValueError, "trainable_layers is a number from 0 to 3.*Received -1"),
        ({"trainable_layers": "some"}, ValueError, "Received 'some'"),
        ({"dropout": 1.5}, ValueError, "dropout is a share"),
    ],
)
def test_bad_options_are_refused(directory: Path, arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TextEncoder.from_directory(directory, **arguments)


def test_numbers_and_lists_are_refused(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory)
    with pytest.raises(TypeError, match="takes strings, one a row. Received float32"):
        encoder(tf.constant([1.0]))
    with pytest.raises(TypeError, match=r"Received string of shape \(1, 2\)"):
        encoder(tf.constant([["a", "b"]]))


def test_more_pieces_than_rows_are_refused() -> None:
    tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea"])
    with pytest.raises(ValueError, match="5 pieces, and the model 4 rows"):
        TextEncoder(tokenizer, TextTransformer(4, num_layers=1, num_heads=1, dim=2, feed_forward_dim=2))
