"""Two texts read together: the ids of Hugging Face's tokenizers, and the states of BERT by hand."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tokenizers

from tests.features.text.minilm import minilm_directory
from tests.features.text.test_word_piece_tokenizer import HOSTILE, hugging_face
from tests.features.text.tiny_model import DIM, PIECES, bert_states, bert_tensors, write_model
from tfdual.features import TextEncoder
from tfdual.features.text import SentencePieceTokenizer, TextPairEncoder, TextTransformer, WordPieceTokenizer

QUERIES = ["Teas!", "", "tea", "green green tea and milk, a b a b", "tea"]
ITEMS = ["milk, tea", "a", "", "tea", "green and green and green and green and green tea"]
# [CLS] 2, [SEP] 3; at most twelve ids, of which nine are the texts'.
IDS = [
    [2, 5, 6, 10, 3, 7, 11, 5, 3],
    [2, 3, 12, 3],
    [2, 5, 3, 3],
    [2, 9, 9, 5, 8, 7, 11, 12, 13, 3, 5, 3],
    [2, 5, 3, 9, 8, 9, 8, 9, 8, 9, 8, 3],
]
STARTS = [5, 2, 3, 10, 3]
LENGTH = 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def pair_ids(
    tokenizer: WordPieceTokenizer | SentencePieceTokenizer, queries: list, items: list, length: int, keep: str = "first"
) -> tuple[list[list[int]], list[int]]:
    transformer = TextTransformer(tokenizer.vocabulary_size, 1, 1, 2, 2)
    pairs = TextPairEncoder(TextEncoder(tokenizer, transformer), max_length=length, keep=keep)
    ids, starts = pairs._ids(tf.constant(queries), tf.constant(items))
    return ids.to_list(), starts.numpy().tolist()


def by_hand(ids: list[int], start: int, pooling: str = "cls", joined: np.ndarray | None = None) -> np.ndarray:
    """One pair's vector: BERT's states with the second segment's vector where the item stands."""
    tensors = bert_tensors()
    first, second = tensors["embeddings.token_type_embeddings.weight"]
    positions = tensors["embeddings.position_embeddings.weight"].copy()
    positions[start:] += second - first
    tensors["embeddings.position_embeddings.weight"] = positions
    count = len(ids)
    if joined is not None:
        word = joined - positions[count] - first  # so that neither position nor segment is left in it
        words = tensors["embeddings.word_embeddings.weight"]
        tensors["embeddings.word_embeddings.weight"] = np.concatenate([words, word[None]])
        ids = [*ids, len(PIECES)]
    states = bert_states(tensors, ids)[:count]
    return {"cls": states[0], "mean": states.mean(axis=0), "max": states.max(axis=0)}[pooling]


def test_ids_are_those_by_hand_and_the_longer_text_is_cut_first() -> None:
    assert pair_ids(WordPieceTokenizer(PIECES), QUERIES, ITEMS, LENGTH) == (IDS, STARTS)


def test_where_both_are_too_long_both_are_cut() -> None:
    tokenizer = WordPieceTokenizer(PIECES)
    long = ["tea " * 9], ["milk " * 7]
    assert pair_ids(tokenizer, *long, 9) == ([[2, 5, 5, 5, 3, 7, 7, 7, 3]], [5])
    assert pair_ids(tokenizer, *long, 8) == ([[2, 5, 5, 5, 3, 7, 7, 3]], [5])  # the odd one is the longer text's
    assert pair_ids(tokenizer, *reversed(long), 8) == ([[2, 7, 7, 3, 5, 5, 5, 3]], [4])
    assert pair_ids(tokenizer, *long, 5) == ([[2, 5, 3, 7, 3]], [3])


def test_the_end_of_a_query_can_be_kept() -> None:
    query, item = ["a b tea green milk"], ["milk " * 9]
    tokenizer = WordPieceTokenizer(PIECES)
    assert pair_ids(tokenizer, query, item, 9) == ([[2, 12, 13, 5, 3, 7, 7, 7, 3]], [5])
    assert pair_ids(tokenizer, query, item, 9, "last") == ([[2, 5, 9, 7, 3, 7, 7, 7, 3]], [5])
    book = ["a " * 100_000 + "tea milk"]
    assert pair_ids(tokenizer, book, ["b"], 7, "last") == ([[2, 12, 5, 7, 3, 13, 3]], [5])


def theirs(made: tokenizers.Tokenizer, length: int, pairs: list[tuple[str, str]]) -> tuple[list, list]:
    made.enable_truncation(length, strategy="longest_first")
    found = made.encode_batch(pairs)
    return [one.ids for one in found], [one.type_ids for one in found]


def segments(ids: list[list[int]], starts: list[int]) -> list[list[int]]:
    return [[0] * start + [1] * (len(row) - start) for row, start in zip(ids, starts, strict=True)]


@pytest.mark.parametrize("length", [5, 16, 64])
def test_ids_and_segments_of_hostile_pairs_are_those_of_hugging_face(length: int) -> None:
    directory = minilm_directory()
    tokenizer = TextEncoder.from_directory(directory).tokenizer
    texts = [text for text in HOSTILE if len(text.encode()) <= 64 * length]
    pairs = [(first, second) for first in texts for second in texts]
    ids, starts = pair_ids(tokenizer, *map(list, zip(*pairs, strict=True)), length)
    wanted, types = theirs(hugging_face(directory, length), length, pairs)
    different = [pair for pair, one, other in zip(pairs, ids, wanted, strict=True) if one != other]
    assert len(pairs) > 300
    assert different == []
    assert segments(ids, starts) == types


def test_ids_of_real_pairs_are_those_of_hugging_face(real_data: Callable[[str], Path]) -> None:
    directory, folder = minilm_directory(), real_data("scifact")
    claims = pq.read_table(folder / "queries.parquet")["text"].to_pylist()
    documents = pq.read_table(folder / "corpus.parquet").slice(0, 1_100).to_pylist()
    texts = [f"{row['title']} {row['text']}" for row in documents]
    pairs = [(claims[place % len(claims)], text) for place, text in enumerate(texts)]
    tokenizer = TextEncoder.from_directory(directory).tokenizer
    ids, starts = pair_ids(tokenizer, *map(list, zip(*pairs, strict=True)), 128)
    wanted, types = theirs(hugging_face(directory, 128), 128, pairs)
    assert sum(len(row) == 128 for row in ids) > 900
    assert ids == wanted
    assert segments(ids, starts) == types


def test_xlm_roberta_joins_by_two_ends_and_tells_no_segment_apart() -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra text")
    model, sentences = io.BytesIO(), ["a cup of tea and a glass of milk", "the quick brown fox", "eine Tasse Tee"] * 6
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    tokenizer = SentencePieceTokenizer(base64.b64encode(model.getvalue()).decode())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    first, second = ([one + 1 for one in processor.encode(text)] for text in ("a cup of tea", "milk"))
    wanted = [0, *first, 2, 2, *second, 2]
    assert pair_ids(tokenizer, ["a cup of tea"], ["milk"], 64) == ([wanted], [len(first) + 3])
    transformer = TextTransformer(tokenizer.vocabulary_size, num_layers=1, num_heads=1, dim=4, feed_forward_dim=4)
    pairs = TextPairEncoder(TextEncoder(tokenizer, transformer))
    assert pairs(tf.constant(["a"]), tf.constant(["b"])).shape == (1, 4)
    assert len(pairs.weights) == len(transformer.weights)


def test_a_preset_of_keras_hub_brings_its_second_segment_and_pooler(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub", reason="needs the extra text")
    backbone = keras_hub.models.BertBackbone(len(PIECES), 1, 2, DIM, 12, max_sequence_length=16)
    for weight in backbone.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape) * 0.5)
    backbone.save_to_preset(str(tmp_path))
    keras_hub.tokenizers.BertTokenizer(PIECES, lowercase=True).save_to_preset(str(tmp_path))
    pairs = TextPairEncoder(TextEncoder.from_preset(str(tmp_path)))
    ids, mask, types = [[2, 5, 3, 7, 3]], [[1] * 5], [[0, 0, 0, 1, 1]]
    wanted = backbone({"token_ids": np.array(ids), "padding_mask": np.array(mask), "segment_ids": np.array(types)})
    state = pairs(tf.constant(["tea"]), tf.constant(["milk"]))
    np.testing.assert_allclose(state, wanted["sequence_output"][:, 0], atol=1e-5)
    held = pairs.pair_arrays()
    found = np.tanh(state @ held["pooler_kernel"] + held["pooler_bias"])
    np.testing.assert_allclose(found, wanted["pooled_output"], atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_vectors_are_those_of_bert_by_hand(directory: Path, pooling: str) -> None:
    wanted = [by_hand(ids, start, pooling) for ids, start in zip(IDS, STARTS, strict=True)]
    frozen = TextPairEncoder(TextEncoder.from_directory(directory), pooling, LENGTH)
    np.testing.assert_allclose(frozen(tf.constant(QUERIES), tf.constant(ITEMS)), wanted, atol=2e-5)
    tuned = TextEncoder.from_directory(directory, trainable_layers="all", dropout=0)
    found = TextPairEncoder(tuned, pooling, LENGTH)(tf.constant(QUERIES), tf.constant(ITEMS), training=True)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_model_that_tells_nothing_apart_has_no_vector_for_it(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory)
    tokenizer = WordPieceTokenizer(PIECES, segments=False)
    same = TextPairEncoder(TextEncoder(tokenizer, encoder.transformer, max_length=LENGTH))
    assert len(same.weights) == len(encoder.weights)
    found = same(tf.constant(QUERIES[:1]), tf.constant(ITEMS[:1]))
    np.testing.assert_allclose(found, [bert_states(bert_tensors(), IDS[0])[0]], atol=2e-5)


def test_a_vector_that_joins_the_tokens_is_one_more_without_a_position(directory: Path) -> None:
    joined = np.random.default_rng(5).normal(size=(len(IDS), DIM)).astype("float32")
    wanted = [by_hand(*one) for one in zip(IDS, STARTS, ["mean"] * len(IDS), joined, strict=True)]
    encoder = TextEncoder.from_directory(directory, dropout=0)
    pairs = TextPairEncoder(encoder, "mean", LENGTH)
    texts = tf.constant(QUERIES), tf.constant(ITEMS)
    np.testing.assert_allclose(pairs(*texts, joined), wanted, atol=2e-5)
    with tf.GradientTape() as tape:
        watched = tf.constant(joined)
        tape.watch(watched)
        vectors = pairs(*texts, watched, training=True)
        loss = tf.reduce_sum(vectors * np.arange(DIM, dtype="float32"))
    np.testing.assert_allclose(vectors, wanted, atol=2e-5)
    assert (np.abs(tape.gradient(loss, watched)).max(axis=1) > 0).all()  # though every layer is frozen
    assert pairs.trainable_weights == []


def test_turns_are_joined(directory: Path) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory), separator=" and ")
    items = tf.constant(["milk", "milk", "milk"])
    wanted = pairs(tf.constant(["tea and milk, a", "", "green"]), items)
    turns = [["tea", "milk, a"], [], ["green"]]
    np.testing.assert_array_equal(pairs(tf.ragged.constant(turns, dtype=tf.string), items), wanted)
    np.testing.assert_array_equal(pairs(tf.constant([["tea", "milk, a"], ["", ""], ["green", ""]]), items), wanted)


def test_a_pair_has_the_same_vector_in_any_batch(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory))
    texts = [" ".join(["tea", "milk", "green"][: 1 + i % 3] * (1 + i % 4)) for i in range(24)]
    queries, items = tf.constant(texts), tf.constant(texts[::-1])
    alone = np.concatenate([pairs(queries[i : i + 1], items[i : i + 1]).numpy() for i in range(24)])
    np.testing.assert_allclose(pairs(queries, items), alone, atol=2e-5)
    monkeypatch.setattr("tfdual.features.text.text_pair_encoder.TOKENS_AT_ONCE", 40)
    np.testing.assert_allclose(pairs(queries, items), alone, atol=2e-5)
    assert len(np.unique(alone.round(4), axis=0)) > 8
    assert pairs(queries[:0], items[:0]).shape == (0, DIM)


@pytest.mark.parametrize("layers", [0, 1, "all"])
def test_the_second_segment_is_trained_with_everything_alone(directory: Path, layers: int | str) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory))
    pairs.train_last(layers)
    pairs(tf.constant(["tea"]), tf.constant(["milk"]))
    assert pairs.second_segment.trainable == (layers == "all")
    pairs.train_last("all")
    with tf.GradientTape() as tape:
        vectors = pairs(tf.constant(QUERIES), tf.constant(ITEMS), training=True)
        loss = tf.reduce_sum(vectors * np.arange(DIM, dtype="float32"))
    assert np.abs(tape.gradient(loss, pairs.second_segment.value)).max() > 0


def test_saved_model_needs_no_directory(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    pairs = TextPairEncoder(TextEncoder.from_directory(folder), "mean", LENGTH, "last", " / ")
    inputs = [keras.Input((), dtype="string", name=name) for name in ("query", "item")]
    model = keras.Model(inputs, pairs(*inputs))
    texts = [tf.constant(QUERIES), tf.constant(ITEMS)]
    wanted = model(texts).numpy()
    model.save(tmp_path / "saved.keras")
    for path in folder.iterdir():
        path.unlink()
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "saved.keras")(texts), wanted, atol=1e-6)
    assert TextPairEncoder.from_config(pairs.get_config()).get_config() == pairs.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "last"}, "pooling is one of .*Received 'last'"),
        ({"keep": "middle"}, "keep is one of .*Received 'middle'"),
        ({"max_length": 4}, "max_length is from 5, a token of each text and 3 around them, to 20.*Received 4"),
        ({"max_length": 21}, "max_length is from 5.*Received 21"),
    ],
)
def test_bad_options_are_refused(directory: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextPairEncoder(TextEncoder.from_directory(directory), **arguments)


def test_an_encoder_of_texts_too_short_for_pairs_is_refused(directory: Path) -> None:
    with pytest.raises(ValueError, match="max_length is from 5.*Received 4"):
        TextPairEncoder(TextEncoder.from_directory(directory, max_length=4))


def test_numbers_and_lists_of_items_are_refused(directory: Path) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory))
    with pytest.raises(TypeError, match=r"two strings.*Received items of float32"):
        pairs(tf.constant(["a"]), tf.constant([1.0]))
    with pytest.raises(TypeError, match=r"Received items of string, of shape \(1, 2\)"):
        pairs(tf.constant(["a"]), tf.constant([["a", "b"]]))
    with pytest.raises(TypeError, match="Received queries of int32"):
        pairs(tf.constant([1]), tf.constant(["a"]))
