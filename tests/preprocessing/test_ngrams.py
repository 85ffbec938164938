"""Text to pieces, and pieces to ids."""

from typing import Any

import pyarrow as pa
import pytest
import tensorflow as tf

from tfdual.preprocessing import HashedText, LearnedText, NGrams
from tfdual.schema import ColumnSchema, Kind, Tags

TITLE = ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string")


def pieces(text: str, **arguments: Any) -> list[str]:
    return [piece.decode() for piece in NGrams(**arguments)(tf.constant([text])).to_list()[0]]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The Cat, the CAT!", ["the", "cat", "the", "cat"]),
        ("np.linalg_norm2(x)", ["np", "linalg", "norm2", "x"]),
        ("Straße", ["strasse"]),
        ("ﬁne Ａ１ x²", ["fine", "a1", "x2"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("東京 Москва", ["東京", "москва"]),
        ("", []),
        (" .,- ", []),
        ("  a  ", ["a"]),
    ],
)
def test_words_are_normalised_runs_of_letters_and_digits(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_word_ngrams_follow_the_words() -> None:
    assert pieces("a b c", words=2) == ["a", "b", "c", "a b", "b c"]
    assert pieces("a b c", words=3) == ["a", "b", "c", "a b", "b c", "a b c"]
    assert pieces("a", words=3) == ["a"]


def test_character_ngrams_mark_both_ends_of_each_word() -> None:
    assert pieces("cat é", characters=(3, 4)) == ["cat", "é", "<ca", "cat", "at>", "<é>", "<cat", "cat>"]
    assert pieces("ab", characters=(4, 4)) == ["ab", "<ab>"]
    assert pieces("ab", characters=(5, 6)) == ["ab"]


def test_words_beyond_the_limit_are_left_out_of_every_ngram() -> None:
    assert pieces("a b c d", words=2, max_words=2) == ["a", "b", "a b"]


def test_each_text_of_a_batch_keeps_its_own_pieces() -> None:
    batch = NGrams(words=2)(tf.constant(["a b", "", "c"]))
    assert batch.to_list() == [[b"a", b"b", b"a b"], [], [b"c"]]


@pytest.mark.parametrize("arguments", [{"words": 0}, {"max_words": 0}, {"characters": (3, 2)}, {"characters": (0, 2)}])
def test_bounds_of_ngrams_are_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="NGrams needs words >= 1, max_words >= 1 and 1 <= shortest <= longest"):
        NGrams(**arguments)


def test_hashed_ids_are_within_range_and_equal_for_equal_words() -> None:
    texts = tf.constant([" ".join(f"w{i}" for i in range(256)), "w3 W3", ""])
    ids = HashedText(buckets=50)(TITLE, texts)
    assert ids.dtype == tf.int64
    assert ids.row_lengths().numpy().tolist() == [256, 2, 0]
    found = set(ids.flat_values.numpy().tolist())
    assert found <= set(range(1, 51))
    assert len(found) > 40
    assert len({ids[0][3].numpy(), ids[1][0].numpy(), ids[1][1].numpy()}) == 1


def test_one_bucket_holds_everything() -> None:
    assert HashedText(buckets=1)(TITLE, tf.constant(["a b"])).to_list() == [[1, 1]]
    with pytest.raises(ValueError, match="at least 1 bucket. Received 0"):
        HashedText(buckets=0)


def test_hashed_text_becomes_an_id_list_of_all_buckets() -> None:
    column = HashedText(buckets=50).output(TITLE)
    assert (column.kind, column.cardinality, column.tags) == (Kind.ID_LIST, 51, {"item", "text"})


def learned(*batches: list[str], **arguments: Any) -> LearnedText:
    transform = LearnedText(**arguments)
    for batch in batches:
        transform.update(TITLE, pa.array(batch, pa.string()))
    transform.finish()
    return transform


def test_learned_pieces_rank_by_count_and_then_by_value() -> None:
    transform = learned(["b b a"], ["c a b", "d"], min_count=1)
    assert transform.values.tolist() == [b"b", b"a", b"c", b"d"]
    assert transform(TITLE, tf.constant(["D a", "b"])).to_list() == [[1004, 1002], [1001]]


def test_pieces_below_min_count_or_beyond_max_size_share_the_buckets() -> None:
    transform = learned(["a a a b b c c d"], min_count=2, max_size=2, buckets=3)
    assert transform.values.tolist() == [b"a", b"b"]
    (ids,) = transform(TITLE, tf.constant(["a b c d never"])).to_list()
    assert ids[:2] == [4, 5]
    assert set(ids[2:]) <= {1, 2, 3}
    assert transform.output(TITLE).cardinality == 6


def test_without_buckets_other_pieces_are_dropped() -> None:
    transform = learned(["a a b"], buckets=0)
    assert transform(TITLE, tf.constant(["b a c", "c", "a a"])).to_list() == [[1], [], [1, 1]]
    assert transform.output(TITLE).cardinality == 2


def test_texts_without_any_frequent_piece_still_work() -> None:
    transform = learned(["a b", ""], buckets=4)
    assert transform.values.tolist() == []
    ids = transform(TITLE, tf.constant(["a b"]))
    assert set(ids.flat_values.numpy()) <= {1, 2, 3, 4}


def test_learned_pieces_are_those_of_its_ngrams() -> None:
    transform = learned(["a b", "a b"], ngrams=NGrams(words=2))
    assert transform.values.tolist() == [b"a", b"a b", b"b"]


@pytest.mark.parametrize("arguments", [{"max_size": 0}, {"min_count": 0}, {"buckets": -1}])
def test_bounds_of_learned_text_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="LearnedText needs max_size >= 1, min_count >= 1 and buckets >= 0"):
        LearnedText(**arguments)
