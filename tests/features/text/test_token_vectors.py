"""Vectors of tokens of other vocabularies than BERT's: SentencePiece's of XLM-RoBERTa, and byte pairs of RoBERTa."""

import io
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.features.text.test_byte_pair_tokenizer import tokenizer_of, write_byte_pairs
from tests.features.text.tiny_model import Tensors, bert_states, write_roberta
from tfdual.features import TextEncoder
from tfdual.features.text.token_vectors import TokenVectors

SENTENCES = [
    "a cup of tea, and a glass of milk!",
    "green tea - or black? ## (no)",
    "one; two... three — four « five »",
] * 8
TEXTS = ["tea, milk!", "", "!!! ...", "## a ## (b)", "« tea » — , ?", "tea"]
LENGTH = 18


@dataclass(frozen=True)
class Family:
    """An encoder, its tensors, and what its tokens are by the library that made the vocabulary."""

    encoder: TextEncoder
    tensors: Tensors
    ids: Callable[[str], list[int]]
    text_of: Callable[[int], str]
    mask: int
    marker: tuple[str, int]


def xlm_roberta(folder: Path) -> Family:
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra text")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=70, hard_vocab_limit=False, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    tensors = write_roberta(folder, "xlm-roberta", pieces.vocab_size() + 2)
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    return Family(
        TextEncoder.from_directory(folder, dropout=0),
        tensors,
        lambda text: [0, *(one + 1 for one in pieces.encode(text)), 2],
        lambda one: "end" if one < 3 else pieces.id_to_piece(one - 1).replace("▁", " "),
        pieces.vocab_size() + 1,
        (pieces.id_to_piece(9), 10),
    )


def roberta(folder: Path) -> Family:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=specials, initial_alphabet=alphabet)
    made.train_from_iterator(SENTENCES, trainer)
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    ours = tokenizer_of(made)
    tensors = write_roberta(folder, "roberta", ours.vocabulary_size)
    write_byte_pairs(folder, ours)
    return Family(
        TextEncoder.from_directory(folder, dropout=0),
        tensors,
        lambda text: made.encode(text).ids,
        lambda one: made.decode([one], skip_special_tokens=False),
        made.token_to_id("<mask>"),
        (" tea", made.token_to_id("Ġtea")),
    )


@pytest.fixture(scope="module", params=[xlm_roberta, roberta])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return request.param(tmp_path_factory.mktemp("family"))


def of_length_1(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def says_nothing(text: str) -> bool:
    return all(one.isspace() or one in string.punctuation or unicodedata.category(one)[0] == "P" for one in text)


def test_queries_are_filled_with_the_mask_of_the_family(family: Family) -> None:
    found = TokenVectors(family.encoder, max_length=LENGTH, augment=True)(tf.constant(TEXTS)).numpy()
    for row, text in zip(found, TEXTS, strict=True):
        ids = family.ids(text)
        filled = [*ids, *[family.mask] * (LENGTH - len(ids))]
        wanted = of_length_1(bert_states(family.tensors, filled, 1e-5, read=len(ids)))
        np.testing.assert_allclose(row, wanted, atol=5e-5)


def test_punctuation_and_spaces_have_no_vector(family: Family) -> None:
    layer = TokenVectors(family.encoder, max_length=LENGTH, skip_punctuation=True)
    found, kept = layer(tf.constant(TEXTS)).numpy(), []
    for row, text in zip(found, TEXTS, strict=True):
        ids = family.ids(text)
        wanted = np.zeros_like(row)
        wanted[: len(ids)] = of_length_1(bert_states(family.tensors, ids, 1e-5))
        wanted[[place for place, one in enumerate(ids) if says_nothing(family.text_of(one))]] = 0
        np.testing.assert_allclose(row, wanted, atol=5e-5)
        kept.append(wanted.any(axis=1).sum())
    assert (kept[1], kept[2]) == (2, 2)  # an empty text, and punctuation alone
    assert kept[3] < len(family.ids(TEXTS[3]))


def test_a_marker_is_the_piece_that_it_names(family: Family) -> None:
    name, place = family.marker
    row = TokenVectors(family.encoder, max_length=LENGTH, marker=name)(tf.constant(["tea"])).numpy()[0]
    first, *others = family.ids("tea")
    np.testing.assert_allclose(row, of_length_1(bert_states(family.tensors, [first, place, *others], 1e-5)), atol=5e-5)
