"""Filters of items: what an expression lets through is what Python's own `eval` does."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual.serving.filter_expression import compile_filter
from tfdual.serving.item_filter import ItemFilter

YEARS = [1985, 1990, 2001, 2001, 2**53 + 1]
PRICES = [0.1, 2.5, -3.0, 1e9, 0.0]
SHELVES = ["drama", "sci fi == x", "", "Zoë", "drama"]
GENRES = [["Drama"], [], ["Comedy", "Drama"], ["sci fi"], ["Comedy"]]
COUNTS = [3, -1, 2**31 - 1, 0, -(2**31)]
STOCKED = [True, False, False, True, True]
ITEMS = [
    {"year": year, "price": np.float32(price), "shelf": shelf, "genres": genres, "stocked": stocked, "count": count}
    for year, price, shelf, genres, stocked, count in zip(YEARS, PRICES, SHELVES, GENRES, STOCKED, COUNTS, strict=True)
]
DTYPES = {
    "year": "int64",
    "count": "int32",
    "price": "float32",
    "shelf": "string",
    "genres": "list of string",
    "stocked": "bool",
}
FILTER = ItemFilter(
    {
        "year": tf.constant(YEARS, tf.int64),
        "count": tf.constant(COUNTS, tf.int32),
        "price": tf.constant(PRICES, tf.float32),
        "shelf": tf.constant(SHELVES),
        "genres": tf.ragged.constant(GENRES),
        "stocked": tf.constant(STOCKED),
    },
    len(ITEMS),
)
SERVED = tf.function(FILTER.__call__, input_signature=[tf.TensorSpec([None], tf.string)])


def let_through(expression: str) -> list[bool]:
    return SERVED(tf.constant(compile_filter(expression, DTYPES), tf.string)).numpy().tolist()


@pytest.mark.parametrize(
    "expression",
    [
        "year >= 1990",
        "1990 < year",
        "1985 <= year < 2001",
        "year == 9007199254740993",
        "year == 9007199254740992",
        "price > -3",
        "price < 2.5",
        "shelf == 'sci fi == x'",
        "shelf != ''",
        "shelf in ['Zoë', 'nowhere']",
        "shelf not in ('Zoë', 'drama')",
        "'Drama' in genres",
        "'sci fi' not in genres",
        "year in [1985, 2001] and not ('Comedy' in genres or price < 0)",
        "not year == 2001 or shelf == 'drama' and price <= 0.5",
        "not not year == 2001",
        "stocked",
        "not stocked and year > 1985",
        "stocked == False or shelf == 'drama'",
        "stocked != False",
        "count < 3_000_000_000",
        "count != -2147483649 and count >= -2147483648",
        "count == 2147483647 or count == 4294967295",
    ],
)
def test_an_expression_lets_through_what_python_does(expression: str) -> None:
    assert let_through(expression) == [bool(eval(expression, {}, item)) for item in ITEMS]


ATOMS = ["year > 1990", "price >= 0", "shelf == 'drama'", "'Drama' in genres", "year == 7"]
EXPRESSIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda one: f"not {one}"),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_any_nesting_lets_through_what_python_does(expression: str) -> None:
    assert let_through(expression) == [bool(eval(expression, {}, item)) for item in ITEMS]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("floor < 3", [0, 4]),
        ("floor <= -1", [4]),
        ("floor == -1", []),
        ("floor >= 0", [0, 2]),
        ("floor != 5", [0, 1, 3, 4]),
        ("not floor < 3", [1, 2, 3]),
    ],
)
def test_a_missing_number_is_unequal_to_all_and_neither_below_nor_above(expression: str, expected: list[int]) -> None:
    floors = [0.0, np.nan, 5.0, np.nan, -2.0]
    integers = [0, -1, 5, -1, -2]
    terms = tf.constant(compile_filter(expression, {"floor": "int64"}))
    for column in (tf.constant(integers, tf.int64), tf.constant(floors, tf.float32)):
        let_through = ItemFilter({"floor": column}, 5, nullable={"floor"})(terms)
        assert np.flatnonzero(let_through).tolist() == expected


def test_terms_are_those_of_the_documentation() -> None:
    assert compile_filter("year >= 1990 and 'Drama' in genres", DTYPES) == ["year >= 1990", "genres has Drama", "and"]


def test_no_terms_let_every_item_through() -> None:
    assert SERVED(tf.zeros([0], tf.string)).numpy().all()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("year >=", "can't be read"),
        (
            "colour == 'red'",
            r"'colour' can't be filtered. Those that can: \['count', 'genres', 'price', 'shelf', 'stocked', 'year'\]",
        ),
        ("year == '1990'", "of int64. It can't be compared with '1990'"),
        ("year == 1990.5", "of int64. It can't be compared with 1990.5"),
        ("price == True", "can't be compared with True"),
        ("shelf < 'm'", "strings, which are equal or not"),
        ("stocked == 1", "of bool. It can't be compared with 1"),
        ("stocked > False", "bools, which are equal or not"),
        ("genres == 'Drama'", "holds lists: write `value in genres`"),
        ("'drama' in shelf", r"holds single values: write `shelf in \[value, ...\]`"),
        ("year == price", "a column on one side and a value on the other"),
        ("year", "compares columns with values"),
        ("max(year) > 3", "a column on one side"),
        ("year is 3", "in and not in"),
        ("year in []", "Write `shelf in"),
        ("year == open('x')", "compared with a value"),
        ("year == {[]: 1}", "compared with a value"),
        (None, "A filter is a string, such as .* Received None"),
        ("not " * 3000 + "year == 3", "'not not .*is nested too deeply. Write it with fewer"),
        ("not " * 100_000 + "year == 3", "nested too deeply"),
        ("year == " + "-" * 3000 + "3", "nested too deeply"),
    ],
)
def test_what_is_no_filter_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_filter(expression, DTYPES)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (["colour == red"], "column operator value"),
        (["genres == Drama"], "column operator value"),
        (["year ==", "not"], "column operator value"),
        (["year == soon"], "soon"),
        (["stocked == perhaps"], "A bool is one of.*perhaps"),
        (["stocked < True"], "column operator value"),
        (["and"], "joins more terms"),
        (["year == 1", "or"], "joins more terms"),
        (["year == 1", "year == 2"], "lack an `and` or `or`"),
    ],
)
def test_terms_that_make_no_filter_fail_in_the_graph(terms: list[str], message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        SERVED(tf.constant(terms))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_that_no_column_can_hold_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"'count' is of int32. {value} is beyond every integer of 64 bits"):
        compile_filter(f"count < {value}", DTYPES)
