"""Rankings of pairs, by position whatever the columns are, and what is refused; the score is one of lengths."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

from tfdual.models.pair_rankings import Rankings, rankings

QUERIES = ["ccc", "a", "bb"]
ITEMS = [["xx", "x", "xxx"], ["x"], ["x", "xxxx"]]
SCORES = [[33.0, 32.0, 31.0], [11.0, -np.inf, -np.inf], [24.0, 21.0, -np.inf]]
PLACES = [[2, 0, 1], [0, -1, -1], [1, 0, -1]]


def score(pairs: dict[str, Any]) -> tf.Tensor:
    """Ten times the characters of the query, of all its turns, and those of the item."""
    query = pairs["query"]
    query = tf.strings.reduce_join(query, axis=-1) if len(query.shape) == 2 else query
    return tf.cast(10 * tf.strings.length(query) + tf.strings.length(pairs["item"]), tf.float32)


def rank(queries: Any, items: Any, **options: Any) -> Rankings:
    settings: dict[str, Any] = {"k": None, "pairs_at_once": 4} | options
    return rankings(score, {"query": queries}, {"item": items}, ("query", "item"), **settings)


@pytest.mark.parametrize(
    ("queries", "items"),
    [
        (QUERIES, ITEMS),
        (pd.Series(QUERIES, index=[2, 0, 1]), pd.Series(ITEMS, index=[1, 2, 0])),
        (pd.Series(QUERIES, index=[5, 9, 11]), pd.Series(list(map(np.array, ITEMS)), index=[5, 9, 11])),
        (
            pd.Series(QUERIES, dtype="string", index=list("abc")),
            [pd.Series(row, index=range(7, 7 - len(row), -1)) for row in ITEMS],
        ),
        (pa.array(QUERIES), pa.array(ITEMS)),
        (pa.chunked_array([QUERIES[:1], QUERIES[1:]]), pa.chunked_array([ITEMS[:2], ITEMS[2:]])),
        (np.array(QUERIES), np.array(ITEMS, object)),
        (tf.constant(QUERIES), tf.ragged.constant(ITEMS)),
        ((text for text in QUERIES), (tf.constant(row) for row in ITEMS)),
        ([["c", "cc"], ["a"], ["b", "b"]], ITEMS),
        (pd.Series([np.array(["c", "cc"], object), np.array(["a"]), ("b", "b")], index=[2, 0, 1]), ITEMS),
        (tf.ragged.constant([["c", "cc"], ["a"], ["b", "b"]]), ITEMS),
    ],
)
def test_queries_and_candidates_go_by_position(queries: Any, items: Any) -> None:
    found = rank(queries, items)
    np.testing.assert_array_equal(found.positions, PLACES)
    np.testing.assert_array_equal(found.scores, SCORES)


def test_further_columns_go_by_position_and_keep_their_type() -> None:
    seen = []

    def priced(pairs: dict[str, Any]) -> tf.Tensor:
        seen.append((pairs["age"].dtype, pairs["price"].dtype, pairs["vector"].shape[1:]))
        return pairs["age"] + pairs["price"] + tf.reduce_sum(pairs["vector"], axis=1)

    queries = {"query": QUERIES, "age": pd.Series(np.float32([100, 200, 300]), index=[2, 1, 0])}
    items = {
        "item": ITEMS,
        "price": [pd.Series(np.float32(range(len(row))), index=range(len(row), 0, -1)) for row in ITEMS],
        "vector": [np.full((len(row), 2), 5, np.float32) for row in ITEMS],
    }
    found = rankings(priced, queries, items, ("query", "item"), None, 100)
    np.testing.assert_array_equal(found.scores, [[112, 111, 110], [210, -np.inf, -np.inf], [311, 310, -np.inf]])
    assert seen == [(tf.float32, tf.float32, (2,))]


@pytest.mark.parametrize(
    ("queries", "items", "message"),
    [
        ([None, "a", "b"], ITEMS, "Received None in 'query' at place 0"),
        (pd.Series(["a", "b", None], dtype="string"), ITEMS, "Received <NA> in 'query' at place 2"),
        ([["a"], ["b", float("nan")], []], ITEMS, "Received nan in 'query' at place 1 of query 1"),
        (QUERIES, [["x"], ["x", None], []], "Received None in 'item' at place 1 of query 1"),
        (QUERIES, [["x"], [5], []], 'A text is a str, "" where there is none. Received 5 in'),
        ([["a"], "bc", "d"], ITEMS, "Received both in 'query': make each text a list of one"),
    ],
)
def test_what_is_no_text_is_named(queries: Any, items: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        rank(queries, items)


@pytest.mark.parametrize(
    ("queries", "items", "options", "message"),
    [
        ("tea", ITEMS, {}, "a text instead of a list, 'tea' in 'query': wrap it in one"),
        (["tea"], ["milk"], {}, "a text instead of a list, 'milk' in 'item'"),
        (QUERIES, "abc", {}, "a text instead of a list, 'abc' in 'item'"),
        (pd.DataFrame({"query": QUERIES}), ITEMS, {}, "'query' is one column. Received a DataFrame"),
        (QUERIES, ITEMS, {"pairs_at_once": 0}, "pairs_at_once is at least 1. Received 0"),
    ],
)
def test_what_is_no_column_is_refused(queries: Any, items: Any, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank(queries, items, **options)
