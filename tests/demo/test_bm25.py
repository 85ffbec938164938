"""The word-search baseline."""

import math

import numpy as np
import pytest

from tfdual.demo.bm25 import bm25_rank

pytest.importorskip("bm25s")
pytest.importorskip("Stemmer")


def lucene_scores(documents: list[list[str]], query: list[str]) -> list[float]:
    mean_length = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            found_in = sum(word in other for other in documents)
            weight = math.log(1 + (len(documents) - found_in + 0.5) / (found_in + 0.5))
            count = document.count(word)
            score += weight * count / (count + 1.5 * (0.25 + 0.75 * len(document) / mean_length))
        scores.append(score)
    return scores


def test_the_order_is_that_of_the_formula() -> None:
    documents = ["red red apple", "red pear plum fig kiwi", "apple pear", "red apple pear plum", "grape lemon"]
    queries = ["red apple", "pear plum"]
    expected = [
        np.argsort([-score for score in lucene_scores([text.split() for text in documents], query.split())])[:3]
        for query in queries
    ]
    ranked = bm25_rank(documents, queries, k=3)
    assert ranked.dtype == np.int64
    np.testing.assert_array_equal(ranked, expected)


def test_inflected_words_meet_their_stem() -> None:
    assert bm25_rank(["painting walls", "baking bread", "reading books"], ["bakes"], k=1).tolist() == [[1]]


def test_identifiers_are_found_by_their_parts_and_whole() -> None:
    items = ["call openFile now", "call close_window now", "call nothing now"]
    assert bm25_rank(items, ["file", "window", "close_window"], k=1).tolist() == [[0], [1], [1]]


def test_a_query_of_unknown_words_still_gets_k_items() -> None:
    ranked = bm25_rank(["one apple", "two pears", "three plums"], ["zebra", "the of"], k=2)
    assert ranked.shape == (2, 2)
    assert ((ranked >= 0) & (ranked < 3)).all()


def test_no_query_gives_no_row() -> None:
    assert bm25_rank(["one apple", "two pears"], [], k=2).shape == (0, 2)


@pytest.mark.parametrize("k", [0, 3])
def test_k_beyond_the_items_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="number of items, 2"):
        bm25_rank(["one apple", "two pears"], ["pears"], k=k)
