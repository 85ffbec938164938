"""Single values: what becomes what, and what is refused by which rule."""

import datetime
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual.data.values import Unfit, convert, fitted, lists_from_text

INT64, INT32, FLOAT32, FLOAT64 = pa.int64(), pa.int32(), pa.float32(), pa.float64()
BOOL, STRING = pa.bool_(), pa.string()


def told(problems: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {rule: rows.tolist() for rule, rows in problems.items()}


PRICES = [Decimal(cents) / 100 for cents in range(1, 2_000)]


@pytest.mark.parametrize(
    "array, target, expected",
    [
        (pa.array([1, -2], pa.int16()), INT64, [1, -2]),
        (pa.array([2**63 - 1], pa.uint64()), INT64, [2**63 - 1]),
        (pa.array([2**31 - 1, -(2**31)]), INT32, [2**31 - 1, -(2**31)]),
        (pa.array([3.0, None]), INT64, [3, None]),
        (pa.array([3, 4], pa.uint8()), FLOAT32, [3.0, 4.0]),
        (pa.array([2**53 + 1]), FLOAT64, [float(2**53)]),
        (pa.array([1.5, None], pa.float16()), FLOAT32, [1.5, None]),
        (pa.array([True, False, None]), FLOAT32, [1.0, 0.0, None]),
        (pa.array([0, 1]), BOOL, [False, True]),
        (pa.array([Decimal("2.00"), Decimal("-3.00")]), INT64, [2, -3]),
        (pa.array([Decimal("2.0")], pa.decimal32(5, 1)), INT64, [2]),
        (pa.array([Decimal("1.25")], pa.decimal256(50, 2)), FLOAT64, [1.25]),
        (pa.array(PRICES), FLOAT32, [float(np.float32(str(price))) for price in PRICES]),
        (pa.array(PRICES), FLOAT64, [float(str(price)) for price in PRICES]),
        (pa.array([Decimal("1E+20"), None], pa.decimal128(38, 2)), FLOAT32, [float(np.float32(1e20)), None]),
        (pa.array([datetime.date(1970, 1, 3), datetime.date(1969, 12, 31)]), INT64, [172_800, -86_400]),
        (pa.array([datetime.date(1970, 1, 3)], pa.date64()), INT64, [172_800]),
        (pa.array([datetime.datetime(2001, 9, 9, 1, 46, 40)], pa.timestamp("ns")), INT64, [1_000_000_000]),
        (pa.array([1_500], pa.timestamp("ms", "Europe/Paris")), FLOAT64, [1.5]),
        (pa.array([-1_500], pa.timestamp("ms")), FLOAT64, [-1.5]),
        (pa.array([datetime.timedelta(minutes=1)]), INT64, [60]),
        (pa.array([None, None]), STRING, [None, None]),
        (pa.array(["12", " 12", "12.0", "+12", "1e2", "007", None]), INT64, [12, 12, 12, 12, 100, 7, None]),
        (pa.array(["9007199254740993.0", "-9223372036854775808"]), INT64, [2**53 + 1, -(2**63)]),
        (pa.array([b"1.5", b" 2 "]), FLOAT32, [1.5, 2.0]),
        (pa.array(["True", "FALSE", " true ", None]), FLOAT64, [1.0, 0.0, 1.0, None]),
        (pa.array([b"false", b"0.5"]), FLOAT32, [0.0, 0.5]),
        (pa.array(["true", "F", "1", " no "]), BOOL, [True, False, True, False]),
        (pa.array([b"a\x00b", "é".encode()]), STRING, ["a\x00b", "é"]),
        (pa.array([b"ab"], pa.binary(2)), STRING, ["ab"]),
        (pa.array(["a", None], pa.string_view()), STRING, ["a", None]),
        (pa.array(["a", None], pa.large_string()), STRING, ["a", None]),
    ],
)
def test_a_value_keeps_its_meaning_in_another_type(array: pa.Array, target: pa.DataType, expected: list) -> None:
    converted, problems = convert(array, target)
    assert converted.type == target
    assert converted.to_pylist() == expected
    assert problems == {}


@pytest.mark.parametrize(
    "array, target, problems",
    [
        (pa.array([1, 2**63], pa.uint64()), INT64, {"overflow": [1]}),
        (pa.array([2**31, 0, -(2**31) - 1]), INT32, {"overflow": [0, 2]}),
        (pa.array([1.0, 1.5, None]), INT64, {"dtype": [1]}),
        (pa.array([1e300, 1.0, math.inf]), FLOAT32, {"overflow": [0]}),
        (pa.array(["1e39", "3.4e38"]), FLOAT32, {"overflow": [0]}),
        (pa.array([Decimal("1.5"), Decimal("2.0")]), INT64, {"dtype": [0]}),
        (pa.array([1, None, 2]), STRING, {"dtype": [0, 2]}),
        (pa.array([1.5]), STRING, {"dtype": [0]}),
        (pa.array([True]), STRING, {"dtype": [0]}),
        (pa.array([datetime.date(2020, 1, 1)]), STRING, {"dtype": [0]}),
        (pa.array([True, None]), INT64, {"dtype": [0]}),
        (pa.array([0, 2]), BOOL, {"dtype": [1]}),
        (pa.array([1_000, 1_500], pa.timestamp("ms")), INT64, {"dtype": [1]}),
        (pa.array([1, None], pa.time32("s")), INT64, {"dtype": [0]}),
        (pa.array([[1]]), INT64, {"dtype": [0]}),
        (pa.array(["1", "0x10", "1_0", "x", "nan", "１", "1.5", "--1"]), INT64, {"dtype": [1, 2, 3, 4, 5, 6, 7]}),
        (pa.array(["0x10", "0X10"]), INT64, {"dtype": [0, 1]}),
        (pa.array(["1e400", "9223372036854775808", "9" * 5000]), INT64, {"overflow": [0, 1, 2]}),
        (pa.array(["1", "1_0", "x", "１"]), FLOAT32, {"dtype": [1, 2, 3]}),
        (pa.array(["", "1", "  "]), INT64, {"null": [0, 2]}),
        (pa.array(["", "1"]), FLOAT32, {"null": [0]}),
        (pa.array(["true", "yes", "t", "f", "no", "truee"]), FLOAT32, {"dtype": [1, 2, 3, 4, 5]}),
        (pa.array(["true", "1"]), INT64, {"dtype": [0]}),
        (pa.array(["maybe", "yes", ""]), BOOL, {"dtype": [0], "null": [2]}),
        (pa.array([b"a", b"\xff", b"\xed\xa0\x80"]), STRING, {"utf-8": [1, 2]}),
        (pa.array([b"1", b"\xff"]), INT64, {"utf-8": [1]}),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_told(array: pa.Array, target: pa.DataType, problems: dict) -> None:
    converted, found = convert(array, target)
    assert told(found) == problems
    wrong = {row for rows in problems.values() for row in rows}
    assert converted.type == target
    assert [i for i in range(len(array)) if converted[i].as_py() is None and array[i].is_valid] == sorted(wrong)


def test_a_string_of_arrow_that_is_no_utf_8_is_told() -> None:
    buffers = [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]
    array = pa.Array.from_buffers(pa.string(), 2, buffers)
    for stored in (array, array.cast(pa.large_string())):
        converted, problems = convert(stored, STRING)
        assert (converted.to_pylist(), told(problems)) == (["a", None], {"utf-8": [1]})


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.integers(-(2**70), 2**70)))
def test_a_whole_number_in_text_is_exactly_itself_or_an_overflow(numbers: list[int | None]) -> None:
    converted, problems = convert(pa.array([None if n is None else str(n) for n in numbers], pa.string()), INT64)
    fits = [n is None or -(2**63) <= n < 2**63 for n in numbers]
    assert converted.to_pylist() == [n if fit else None for n, fit in zip(numbers, fits, strict=True)]
    assert told(problems) == ({} if all(fits) else {"overflow": [i for i, fit in enumerate(fits) if not fit]})


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=6)))
def test_bytes_are_text_exactly_where_python_can_decode_them(values: list[bytes]) -> None:
    def decoded(value: bytes) -> str | None:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None

    converted, problems = convert(pa.array(values, pa.binary()), STRING)
    expected = [decoded(value) for value in values]
    assert converted.to_pylist() == expected
    assert told(problems).get("utf-8", []) == [i for i, value in enumerate(expected) if value is None]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(width=64)))
def test_a_float_that_float32_cannot_reach_is_an_overflow(values: list[float]) -> None:
    _, problems = convert(pa.array(values, FLOAT64), FLOAT32)
    with np.errstate(over="ignore"):
        lost = [math.isfinite(value) and np.isinf(np.float32(value)) for value in values]
    assert told(problems).get("overflow", []) == np.flatnonzero(lost).tolist()


@pytest.mark.parametrize(
    "value, target, expected",
    [
        (None, INT64, None),
        (2, INT64, 2),
        (2.0, INT64, 2),
        (2, FLOAT32, 2.0),
        ("a", STRING, "a"),
        (True, BOOL, True),
        ([1, None], pa.list_(INT64), [1, None]),
        ({"a": 1, "other": "x"}, pa.struct([("a", INT64), ("b", STRING)]), {"a": 1, "b": None}),
    ],
)
def test_a_python_value_of_the_right_type_is_kept(value: object, target: pa.DataType, expected: object) -> None:
    assert fitted(value, target) == expected


@pytest.mark.parametrize(
    "value, target, rule",
    [
        ("2", INT64, "dtype"),
        ("2.5", FLOAT32, "dtype"),
        ("true", BOOL, "dtype"),
        (1, BOOL, "dtype"),
        (True, INT64, "dtype"),
        (1.5, INT64, "dtype"),
        (math.nan, INT64, "dtype"),
        (2**64, INT64, "overflow"),
        (10**400, FLOAT64, "overflow"),
        (1e39, FLOAT32, "overflow"),
        (5, STRING, "dtype"),
        ("\ud800", STRING, "utf-8"),
        ([1], INT64, "dtype"),
        (1, pa.list_(INT64), "dtype"),
        ([1, "2"], pa.list_(INT64), "dtype"),
        ([1], pa.struct([("a", INT64)]), "dtype"),
        ({"a": 1}, FLOAT32, "dtype"),
    ],
)
def test_a_python_value_of_another_type_names_its_rule(value: object, target: pa.DataType, rule: str) -> None:
    with pytest.raises(Unfit, match=f"^{rule}$"):
        fitted(value, target)


def test_text_is_a_time_where_one_is_wanted() -> None:
    assert fitted("2020-08-01 12:00:03.5", FLOAT64, of_time=True) == 1596283203.5
    assert [fitted(text, INT64, of_time=True) for text in ("2020-08-01", "7", " ", None)] == [1596240000, 7, None, None]
    for text, target in [("soon", INT64), ("1.5", INT64), ("true", FLOAT64), ("2020-08-01 12:00:03.5", INT64)]:
        with pytest.raises(Unfit, match="^dtype$"):
            fitted(text, target, of_time=True)


def test_delimited_text_becomes_lists() -> None:
    lists, problems = lists_from_text(pa.array([b"1|2", b"3", b"", None, b"\xff"]), "|")
    assert lists.to_pylist() == [["1", "2"], ["3"], None, None, None]
    assert told(problems) == {"utf-8": [4]}


def test_json_text_becomes_lists_with_every_digit() -> None:
    texts = ['[1, "a", null, 9007199254740993.0, true]', "[]", " ", None]
    lists, problems = lists_from_text(pa.array(texts), None)
    assert lists.to_pylist() == [["1", "a", None, "9007199254740993.0", "true"], [], None, None]
    assert problems == {}


def test_text_that_is_no_json_list_is_told() -> None:
    texts = ["[1]", "1", "{}", "[[1]]", "[1", '["\\ud800"]', "[" * 9_000]
    lists, problems = lists_from_text(pa.array(texts), None)
    assert lists.to_pylist() == [["1"], *[None] * 6]
    assert told(problems) == {"dtype": [1, 2, 3, 4, 6], "utf-8": [5]}
