"""Byte pairs, against Hugging Face's `tokenizers`."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.features.text.tiny_model import bert_states, write_roberta
from tfdual.features import TextEncoder
from tfdual.features.text import BytePairTokenizer

TEXTS = [
    "The quick brown fox doesn't jump; it'll lie 3 times, 1000 times.",
    "Tea  and   milk\n\nand\tsalt \r\n ",
    "  leading, trailing   ",
    "",
    " ",
    "\n\n\n",
    "naïve Krüppel H₂O ½ ﬁ",
    "日本語のテキスト、中国 한국어",
    "emoji 👩‍👩‍👧 and 🇩🇪 flags",
    "I'VE I've we're they'd can't 'sup ''s",
    "a<mask>b <mask>  c   <mask></s><s> <pad>x <unk>",
    "non\u00a0breaking\u2003em\u3000wide\u200bzero\u2028line",
    "aaaaaaaaaaaaaaaaaaaaaaa bbb aaab abababab",
    "x" * 500,
    "tabs\t\tand\x0bvertical\x0cfeed\x85next",
    "__init__ foo_bar 3.14159 1e-10 (a+b)*c",
    "e\u0301 combining \u0301alone",
    "١٢٣ ४५६ Ⅷ ②",
]


@pytest.fixture(scope="module")
def theirs() -> Tokenizer:
    """Trained on texts of these characters, with RoBERTa's ends."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=1
    )
    made.train_from_iterator([*TEXTS * 3, *[" the then there tea team steam"] * 5], trainer)
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return made


@pytest.fixture(scope="module")
def ours(theirs: Tokenizer) -> BytePairTokenizer:
    return tokenizer_of(theirs)


def write_byte_pairs(folder: Path, tokenizer: BytePairTokenizer) -> None:
    """The vocabulary of a directory of RoBERTa."""
    (folder / "vocab.json").write_text(json.dumps({piece: place for place, piece in enumerate(tokenizer.vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *tokenizer.merges, ""]), encoding="utf-8")


def tokenizer_of(theirs: Tokenizer) -> BytePairTokenizer:
    model = json.loads(theirs.to_str())["model"]
    vocabulary = sorted(theirs.get_vocab(), key=theirs.get_vocab().get)
    return BytePairTokenizer(vocabulary, [" ".join(merge) for merge in model["merges"]])


def test_ids_are_those_of_hugging_face(theirs: Tokenizer, ours: BytePairTokenizer) -> None:
    found = ours(TEXTS, max_length=512).to_list()
    for text, mine in zip(TEXTS, found, strict=True):
        assert mine == theirs.encode(text).ids, text


def test_random_strings_of_all_kinds_of_characters(theirs: Tokenizer, ours: BytePairTokenizer) -> None:
    draw = np.random.default_rng(0)
    alphabet = list("abtehs  \n\t'.,!19éß漢字🎉<>/_") + ["<mask>", "</s>", "'ll", "\u00a0", "\u2003"]
    texts = ["".join(draw.choice(alphabet, draw.integers(0, 40))) for _ in range(300)]
    for text, mine in zip(texts, ours(texts, max_length=128).to_list(), strict=True):
        assert mine == theirs.encode(text).ids, repr(text)


def test_long_texts_are_cut_and_bytes_that_are_no_text_left_out(ours: BytePairTokenizer) -> None:
    cut = ours(["tea " * 100], max_length=10).to_list()[0]
    assert cut == [0, *ours(["tea " * 100], max_length=300).to_list()[0][1:9], 2]
    assert ours([b"tea\xff\xfe"], max_length=20).to_list() == ours(["tea"], max_length=20).to_list()
    last = ours.pieces(["milk " * 50 + "tea"], 10, keep="last").to_list()[0]
    assert last[-1] == ours.pieces([" tea"], 10).to_list()[0][-1]


def test_pieces_can_be_read(ours: BytePairTokenizer) -> None:
    found = ours.readable
    assert "".join(found[place] for place in ours(["the, tea <mask>"], 20).to_list()[0]) == "<s>the, tea<mask></s>"


def test_it_runs_in_a_graph_and_from_its_config(ours: BytePairTokenizer) -> None:
    again = BytePairTokenizer.from_config(ours.get_config())
    traced = tf.function(lambda texts: again(texts, 64), input_signature=[tf.TensorSpec([None], tf.string)])
    assert traced(tf.constant(TEXTS)).to_list() == ours(TEXTS, 64).to_list()
    assert traced(tf.constant([], tf.string)).to_list() == []


def test_a_directory_of_roberta_is_read(theirs: Tokenizer, ours: BytePairTokenizer, tmp_path: Path) -> None:
    tensors = write_roberta(tmp_path, "roberta", ours.vocabulary_size)
    write_byte_pairs(tmp_path, ours)
    encoder = TextEncoder.from_directory(tmp_path, pooling="cls")
    ids = theirs.encode("tea then steam").ids
    assert encoder.tokenizer(["tea then steam"], 20).to_list() == [ids]
    wanted = bert_states(tensors, ids, epsilon=1e-5)[:1]
    np.testing.assert_allclose(encoder(tf.constant(["tea then steam"])), wanted, atol=2e-5)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 2}))
    with pytest.raises(ValueError, match="are 0 to 1, each once"):
        TextEncoder.from_directory(tmp_path)


@pytest.mark.parametrize("lacking", ["<s>", "Ġ", "te"])
def test_a_vocabulary_that_does_not_fit_is_refused(ours: BytePairTokenizer, lacking: str) -> None:
    with pytest.raises(ValueError, match=r"lacks \['" + lacking):
        BytePairTokenizer([piece for piece in ours.vocabulary if piece != lacking], ["t e"])
