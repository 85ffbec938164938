"""Text to ids of WordPieces."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_text as text

from tests.preprocessing.fitting import fitted
from tfdual.preprocessing import WordPiece
from tfdual.schema import ColumnSchema, Kind, Tags

TITLE = ColumnSchema("title", [Tags.TEXT], dtype="string")
PIECES = ["[PAD]", "[UNK]", "the", "cat", "##s", "play", "##ing", "Cat", "!"]


def test_pieces_of_a_file_are_those_of_bert(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    texts = tf.constant(["The CATS playing!", "dog", "", "Thé cat"])
    found = WordPiece(path)(TITLE, texts)
    assert found.to_list() == [[2, 3, 4, 5, 6, 8], [1], [], [2, 3]]
    bert = text.BertTokenizer(str(path), lower_case=True, token_out_type=tf.int64)
    assert found.to_list() == bert.tokenize(texts).merge_dims(1, 2).to_list()
    assert WordPiece(PIECES, lowercase=False)(TITLE, tf.constant(["Cat cat"])).to_list() == [[7, 3]]


def test_a_line_ends_only_where_berts_does(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("[PAD]\r\n[UNK]\r\n\u2028\r\n\x85\r\ncat\r\n".encode())
    assert WordPiece(path)(TITLE, tf.constant(["cat"])).to_list() == [[4]]


def test_learned_pieces_compose_the_words_of_the_rows() -> None:
    transform = fitted(WordPiece(vocabulary_size=100), TITLE, ["Playing, plays & played"] * 3, ["été 東京 play", None])
    assert transform.pieces[:2] == ["[PAD]", "[UNK]"]
    ids = transform(TITLE, tf.constant(["played PLAYING", "東", "xyz", ""])).to_list()
    assert 1 not in ids[0] + ids[1]
    assert (ids[2], ids[3]) == ([1], [])
    column = transform.output(TITLE)
    assert (column.kind, column.cardinality) == (Kind.ID_LIST, len(transform.pieces))


def test_what_is_learned_does_not_depend_on_batches() -> None:
    texts = [f"word{i % 7} and word{i % 3}s" for i in range(60)]
    assert fitted(WordPiece(), TITLE, texts).pieces == fitted(WordPiece(), TITLE, texts[::-1][:30], texts[:30]).pieces


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: WordPiece("nowhere.txt"), FileNotFoundError, "no vocabulary file nowhere.txt"),
        (lambda: WordPiece(["the"]), ValueError, r"lacks the piece \[UNK\]"),
        (lambda: WordPiece([*PIECES, "cat"]), ValueError, r"pieces of a vocabulary must differ.*\['cat'\]"),
        (lambda: WordPiece(vocabulary_size=5), ValueError, "at least 100 pieces. Received vocabulary_size=5"),
        (lambda: fitted(WordPiece(), TITLE, ["", None]), ValueError, "every text was empty"),
        (lambda: WordPiece().output(ColumnSchema("x")), TypeError, "WordPiece takes a single string a row"),
    ],
)
def test_what_cannot_work_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
