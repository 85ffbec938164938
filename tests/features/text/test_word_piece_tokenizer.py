"""The ids of BERT's tokenizers, as Hugging Face's `tokenizers` gives them."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tokenizers

from tests.features.text.minilm import minilm_directory
from tests.features.text.tiny_model import PIECES
from tfdual.features.text import WordPieceTokenizer
from tfdual.features.text.bert_words import bert_words

LENGTH = 64
HOSTILE = [
    "",
    " ",
    "Krüppel, ÅNGSTRÖM; Ǆ ﬁne ﬂow H₂O x² ½ ①",
    "e\u0301a\u0308\u0323 o\u0302\u0303\u0301 \u0301 \u0488",
    "zero\u200bwidth\u200cjoin\u200der\ufeffmark\u2060word soft\u00adhyphen",
    "\u202eright to left\u202c שלום עולם مرحبا بالعالم",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪 🥲 ❤️ a😀b",
    "日本語のテキスト、中文字符。한국어 텍스트 𠀀𪚥 ㈱ 豈",
    "İSTANBUL Iğdır ıI i̇",
    "ΟΔΟΣ ΟΔΟΣ. Σ ΑΣ",
    "tab\tnew\nline\r\nvertical\x0bform\x0cbell\x07del\x7fnel\x85end",
    "nul\x00byte \x01\x02\x03\x04\x05\x06 \x0e\x0f",
    "replacement \ufffd character \ufffe\uffff",
    "no\u00a0break\u2009thin\u3000wide\u2028line\u2029paragraph\u1680ogham",
    "a" * 100,
    "a" * 101,
    "é" * 100 + " " + "é" * 101,
    "日" * 120,
    "!" * 130,
    "[CLS] and [SEP] in [MASK]ed text [PAD][UNK] [mask] [ MASK ] [MA\u200bSK] [M\x01ASK]",
    "don't stop–believing — “quoted” ‘single’ …ellipsis… $5 + €3 = ¥8 ^_^ `code` ~x~ <b> |",
    "a_b-c/d\\e@f#g%h&i*j(k)l{m}n[o]p:q;r?s.t,u",
    "ß ẞ ﬀ ŉ ǰ ΐ և ẖ ﬓ Ω K Å",
    "Đặng Thị Ngọc Thịnh Łódź øre æther œuvre þorn ðæt",
    "हिन्दी தமிழ் ไทย ភាសាខ្មែរ བོད་སྐད",
    "\U0001d400\U0001d41a \U0001f100 \U000e0041 \ue000 \U000f0000",
    "##s [##s] ##",
]


def hugging_face(directory: Path, length: int) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(length)
    return made


@pytest.fixture(scope="module")
def minilm() -> tuple[WordPieceTokenizer, tokenizers.Tokenizer]:
    directory = minilm_directory()
    vocabulary = (directory / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return WordPieceTokenizer(vocabulary), hugging_face(directory, LENGTH)


def test_ids_of_hostile_texts_are_those_of_hugging_face(minilm: tuple) -> None:
    ours, theirs = minilm
    found = ours(tf.constant(HOSTILE), LENGTH).to_list()
    for text, ids, encoding in zip(HOSTILE, found, theirs.encode_batch(HOSTILE), strict=True):
        assert ids == encoding.ids, text


def test_ids_of_real_texts_are_those_of_hugging_face(minilm: tuple, real_data: Callable[[str], Path]) -> None:
    ours, theirs = minilm
    rows = pq.read_table(real_data("scifact") / "corpus.parquet").to_pylist()
    texts = [f"{row['title']} {row['text']}" for row in rows]
    theirs.enable_truncation(256)
    found = tf.function(lambda texts: ours(texts, 256))(tf.constant(texts))
    different = [
        row["doc_id"]
        for row, ids, encoding in zip(rows, found.to_list(), theirs.encode_batch(texts), strict=True)
        if ids != encoding.ids
    ]
    assert len(rows) == 5_183
    assert different == []


# Letters whose lower case TensorFlow's ICU doesn't know yet, and letters that it takes apart and Hugging Face doesn't.
NEWER = (
    "1C89 2C2F A7C0 A7CB-A7CC A7CE A7D0 A7D2 A7D4 A7D6 A7D8 A7DA A7DC 10570-1057A 1057C-1058A 1058C-10592 10594-10595 "
    "105C9 105E4 10D50-10D65 11383 11385 1138E 11391 113C5 113C7-113C8 11938 16121-16128 16D68-16D6A 16EA0-16EB8"
)


@pytest.mark.parametrize("lowercase", [True, False])
def test_every_character_is_split_as_hugging_face_does(lowercase: bool) -> None:
    bounds = [[int(end, 16) for end in one.split("-")] for one in NEWER.split()]
    newer = {code for ends in bounds for code in range(ends[0], ends[-1] + 1)}
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and code not in newer]
    texts = [" ".join(f"A{chr(code)}b" for code in codes[first : first + 500]) for first in range(0, len(codes), 500)]
    normal = tokenizers.normalizers.BertNormalizer(lowercase=lowercase)
    split = tokenizers.pre_tokenizers.BertPreTokenizer()
    found = bert_words(tf.constant(texts), [], lowercase, lowercase, True).to_list()
    assert len(codes) > 1_111_000
    for text, words in zip(texts, found, strict=True):
        wanted = [word.encode() for word, _ in split.pre_tokenize_str(normal.normalize_str(text))]
        assert words == wanted, next(
            (ours, theirs) for ours, theirs in zip(words, wanted, strict=False) if ours != theirs
        )


def test_options_are_those_of_the_cased_models() -> None:
    words = ["Tea", "tea", "thé", "the", "The", "Thé"]
    vocabulary = [*PIECES[:5], *words]
    texts = tf.constant(["Thé tea", "The Tea"])

    def found(**options: bool) -> list[list[str]]:
        ids = WordPieceTokenizer(vocabulary, **options)(texts, 9).to_list()
        return [[vocabulary[one] for one in row[1:-1]] for row in ids]

    assert found() == [["the", "tea"], ["the", "tea"]]
    assert found(lowercase=False) == [["Thé", "tea"], ["The", "Tea"]]
    assert found(lowercase=False, strip_accents=True) == [["The", "tea"], ["The", "Tea"]]
    assert found(lowercase=True, strip_accents=False) == [["thé", "tea"], ["the", "tea"]]


def test_chinese_characters_are_words_unless_told_otherwise() -> None:
    vocabulary = [*PIECES[:5], "中", "文", "中文"]
    assert WordPieceTokenizer(vocabulary)(["中文"], 9).to_list() == [[2, 5, 6, 3]]
    assert WordPieceTokenizer(vocabulary, split_chinese=False)(["中文"], 9).to_list() == [[2, 7, 3]]


def test_bytes_that_are_no_utf_8_are_left_out() -> None:
    tokenizer = WordPieceTokenizer(PIECES)
    texts = [b"te\xffa milk", b"\xc3\x28 tea", b"\xff\xfe", b"tea \xed\xa0\x80", b"tea\xe4\xb8"]
    assert tokenizer(tf.constant(texts), 9).to_list() == [[2, 5, 7, 3], [2, 1, 5, 3], [2, 3], [2, 5, 3], [2, 5, 3]]


def test_a_megabyte_of_text_costs_no_more_than_its_beginning() -> None:
    tokenizer = WordPieceTokenizer(PIECES)
    long = "tea milk " * 120_000
    assert tokenizer(tf.constant([long]), 6).to_list() == [[2, 5, 7, 5, 7, 3]]
    spaces = " " * 1_000_000 + "tea"
    assert tokenizer(tf.constant([spaces]), 6).to_list() == [[2, 3]]


def test_config_gives_the_same_tokenizer() -> None:
    tokenizer = WordPieceTokenizer(PIECES, lowercase=False, strip_accents=True, split_chinese=False)
    config = json.loads(json.dumps(tokenizer.get_config()))
    assert WordPieceTokenizer.from_config(config).get_config() == tokenizer.get_config()
