"""The rules of a column, against a checker that looks at one Python value at a time."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdual.data.arrow_types import arrow_schema
from tfdual.data.conform import conform
from tfdual.data.faults import Fault
from tfdual.schema import ColumnSchema, Schema, Tags

NULLABLE = {"nullable": True}


def column(**arguments: Any) -> ColumnSchema:
    return ColumnSchema("x", **arguments)


def conformed(array: Any, wanted: ColumnSchema) -> tuple[list[Any], dict[str, list[int]]]:
    table, faults = conform(pa.table({"x": array}), Schema([wanted]))
    table.validate(full=True)
    assert table.schema == arrow_schema(Schema([wanted]))
    rules: dict[str, list[int]] = {}
    for each in faults:
        rules[each.rule] = sorted(rules.get(each.rule, []) + each.rows.tolist())
    return table.column("x").to_pylist(), rules


def naive_value(value: Any, wanted: ColumnSchema) -> str | None:
    """The rule that a single number breaks."""
    if value is None:
        return None if wanted.properties.get("nullable") else "null"
    if isinstance(value, float):
        if math.isinf(value):
            return "infinite"
        if math.isnan(value):
            return None if wanted.properties.get("nullable") else "nan"
    elif wanted.dtype == "int32" and not -(2**31) <= value < 2**31:
        return "overflow"
    domain = wanted.properties.get("domain", {})
    if value < domain.get("min", -math.inf) or value > domain.get("max", math.inf):
        return "domain"
    if "min" not in domain and isinstance(value, int) and wanted.tags & {"categorical", "id"} and value < 0:
        return "negative"
    return None


def naive(values: list[Any], wanted: ColumnSchema) -> dict[str, list[int]]:
    rules: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if rule := naive_value(value, wanted):
            rules.setdefault(rule, []).append(row)
    return rules


INTEGERS = st.none() | st.integers(-3, 12) | st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**62])
FLOATS = st.none() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0, 2.0, 7.5, 100.0])
DOMAINS = st.sampled_from([{}, {"domain": {"max": 7}}, {"domain": {"min": -1, "max": 7}}, {"domain": {"min": 2}}])


@st.composite
def columns_of_integers(draw: st.DrawFn) -> ColumnSchema:
    properties = draw(DOMAINS) | draw(st.sampled_from([{}, NULLABLE]))
    return column(tags=[Tags.CATEGORICAL], properties=properties, dtype=draw(st.sampled_from(["int64", "int32"])))


@settings(deadline=None, max_examples=60)
@given(st.lists(INTEGERS), columns_of_integers(), st.data())
def test_faults_of_ids_are_those_of_a_check_value_by_value(
    values: list, wanted: ColumnSchema, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(values)))
    whole = pa.array([99, *values, None], pa.int64()).slice(1, len(values))
    chunked = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])
    for array in (whole, chunked, whole.dictionary_encode()):
        assert conformed(array, wanted)[1] == naive(values, wanted)


@settings(deadline=None, max_examples=60)
@given(st.lists(FLOATS), DOMAINS, st.sampled_from([{}, NULLABLE]), st.sampled_from(["float32", "float64"]))
def test_faults_of_floats_are_those_of_a_check_value_by_value(
    values: list, domain: dict, nullable: dict, dtype: str
) -> None:
    wanted = column(dtype=dtype, properties=domain | nullable)
    assert conformed(pa.array(values, pa.float64()), wanted)[1] == naive(values, wanted)
    texts = pa.array([None if value is None else str(value).encode() for value in values], pa.binary())
    assert conformed(texts, wanted)[1] == naive(values, wanted)


LISTS = st.lists(st.none() | st.lists(st.none() | st.integers(-1, 9), max_size=5), max_size=8)


@settings(deadline=None, max_examples=60)
@given(
    LISTS, st.integers(0, 2), st.none() | st.integers(3, 4), st.booleans(), st.sampled_from(["list", "large", "view"])
)
def test_faults_of_id_lists_are_those_of_a_check_row_by_row(
    rows: list, least: int, most: int | None, nullable: bool, layout: str
) -> None:
    properties = {"value_count": {"min": least, "max": most}, "nullable": nullable, "domain": {"max": 7}}
    wanted = column(is_list=True, properties=properties)
    expected = []
    for row in rows:
        broken = set()
        if row is None and not nullable:
            broken = {"null"}
        elif row is not None and not (nullable and not row):
            broken |= {"length"} if len(row) < least or (most is not None and len(row) > most) else set()
            broken |= {"null"} if None in row else set()
            broken |= {"negative"} if any(each is not None and each < 0 for each in row) else set()
            broken |= {"domain"} if any(each is not None and each > 7 for each in row) else set()
        expected.append(broken)
    kind = {"list": pa.list_, "large": pa.large_list, "view": pa.list_view}[layout](pa.int64())
    values, faults = conformed(pa.array([[8], *rows], kind).slice(1), wanted)
    found: dict[int, str] = {row: rule for rule, broken in faults.items() for row in broken}
    assert sorted(found) == [row for row, broken in enumerate(expected) if broken]
    assert all(rule in expected[row] for row, rule in found.items())
    assert values == [row or [] for row in rows]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | st.lists(st.floats(-9, 9, width=32), max_size=4), max_size=8))
def test_vectors_of_the_right_width_keep_their_row_beside_others(rows: list) -> None:
    values, faults = conformed(pa.array(rows, pa.list_(pa.float32())), column(dtype="float32", dims=(None, 2)))
    assert faults.get("width", []) == [i for i, row in enumerate(rows) if row is not None and len(row) != 2]
    assert faults.get("null", []) == [i for i, row in enumerate(rows) if row is None]
    assert values == [row if row is not None and len(row) == 2 else [0.0, 0.0] for row in rows]


@pytest.mark.parametrize(
    "array, wanted, values, faults",
    [
        (pa.nulls(2), column(dtype="string"), [None, None], {"null": [0, 1]}),
        (pa.nulls(2), column(dtype="string", properties=NULLABLE), [None, None], {}),
        (pa.nulls(1), column(is_list=True), [[]], {"null": [0]}),
        (pa.array([], pa.string()), column(dtype="float32"), [], {}),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), column(is_list=True), [[1, 2], []], {"null": [1]}),
        (pa.array([[1, 2, 3]]), column(dims=(None, 2)), [[0, 0]], {"width": [0]}),
        (pa.array([["a", "b"], ["c"]]), column(dtype="string", dims=(None, 2)), [["a", "b"], ["", ""]], {"width": [1]}),
        (
            pa.array([[1.0], None, []]),
            column(dtype="float32", dims=(None, 1), properties=NULLABLE),
            [[1], [0], [0]],
            {},
        ),
        (pa.array([["a", None]]), column(dtype="string", is_list=True), [["a", None]], {"null": [0]}),
        (pa.array([[1.0, math.nan]]), column(dtype="float64", is_list=True), None, {"nan": [0]}),
        (pa.array([[1.0, math.inf]]), column(dtype="float64", is_list=True), None, {"infinite": [0]}),
        (pa.array([1, None]), column(is_list=True, properties=NULLABLE), [[], []], {"dtype": [0]}),
        (pa.array(["1|2", "", None]), column(is_list=True, properties={"delimiter": "|"}), [[1, 2], [], []], {}),
        (pa.array(["[1, 2]", ""]), column(dtype="float32", dims=(None, 2)), [[1, 2], [0, 0]], {"null": [1]}),
        (pa.array(["[1, 2]", ""]), column(dtype="float32", dims=(None, 2), properties=NULLABLE), [[1, 2], [0, 0]], {}),
        (pa.array([b"", b"1"]), column(dtype="float32", properties=NULLABLE), [None, 1.0], {}),
        (pa.array([-1, 2]), column(), [-1, 2], {}),
    ],
)
def test_missing_and_misshapen_values(array: pa.Array, wanted: ColumnSchema, values: list | None, faults: dict) -> None:
    found, rules = conformed(array, wanted)
    assert rules == faults
    assert values is None or found == values


def test_frames_of_polars_and_pandas_conform() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "text": ["a", "b"],
            "kind": polars.Series(["k", "l"], dtype=polars.Categorical),
            "vector": polars.Series([[1.0, 2.0], [3.0, 4.0]], dtype=polars.Array(polars.Float32, 2)),
            "ids": [[1], [2, 3]],
        }
    )
    schema = Schema(
        [
            ColumnSchema("text", dtype="string"),
            ColumnSchema("kind", dtype="string"),
            ColumnSchema("vector", dtype="float32", dims=(None, 2)),
            ColumnSchema("ids", is_list=True),
        ]
    )
    newest = polars.CompatLevel.newest()
    for table in (frame.to_arrow(), frame.to_arrow(compat_level=newest)):
        rows, faults = conform(table, schema)
        assert rows.to_pylist() == frame.to_dicts()
        assert faults == []


def test_a_row_is_told_once_a_column_and_in_each_column() -> None:
    schema = Schema([ColumnSchema("a", [Tags.ID], {"domain": {"max": 5}}), ColumnSchema("b", dtype="float32")])
    table = pa.table({"a": [None, 9, -1, 1], "b": [math.inf, 1.0, math.nan, 2.0]})
    _, faults = conform(table, schema)
    told = {(each.column, each.rule): (each.rows.tolist(), each.values) for each in faults}
    assert told.pop(("b", "nan"))[0] == [2]
    assert told == {
        ("a", "null"): ([0], [None]),
        ("a", "negative"): ([2], [-1]),
        ("a", "domain"): ([1], [9]),
        ("b", "infinite"): ([0], [math.inf]),
    }


def test_what_the_source_told_is_not_told_again() -> None:
    given_faults = [Fault("x", "dtype", np.array([1]), ["one"]), Fault("", "malformed", np.array([2]), ["?"])]
    _, faults = conform(pa.table({"x": [1, None, None, None]}), Schema(["x"]), given_faults)
    assert faults[:2] == given_faults
    assert [(each.rule, each.rows.tolist()) for each in faults[2:]] == [("null", [3])]


def test_ids_and_weights_must_be_as_many() -> None:
    schema = Schema(
        [
            ColumnSchema("ids", is_list=True, properties={"weights": "weights"}),
            ColumnSchema("weights", dtype="float32", is_list=True),
        ]
    )
    table = pa.table({"ids": [[1, 2], [3], []], "weights": [[0.5, 0.5], [], []]})
    _, faults = conform(table, schema)
    assert [(each.column, each.rule, each.rows.tolist()) for each in faults] == [("weights", "weights", [1])]


def test_values_that_python_cannot_hold_are_shown_as_text() -> None:
    late = pa.array([2**62 + 1], pa.timestamp("ns"))
    _, (fault,) = conform(pa.table({"x": late}), Schema(["x"]))
    assert fault.values == ["2116-02-20 23:53:38.427387905"]
    _, (fault,) = conform(pa.table({"x": pa.array([[b"\xff", b"a"]])}), Schema([column(dtype="string", is_list=True)]))
    assert fault.values == [["\\xff", "a"]]
    assert "row 7: the text is not UTF-8" in fault.message("f.csv", 7)


SPELLED = ["12", "0012", "+12", "-0", " 07", "0", "10", "1e2", "12.0", "00", None]
RESPELLED = [1, 2, 3, 4, 9]


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.large_string()])
def test_zeros_that_an_integer_would_lose_are_told_of_ids_only(kind: pa.DataType) -> None:
    texts = pa.array(SPELLED).cast(kind)
    ids = column(tags=[Tags.CATEGORICAL], properties=NULLABLE, dtype="int32")
    assert conformed(texts, ids)[1] == {"leading zeros": RESPELLED}
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 3, 10]), texts)
    assert conformed(lists, column(is_list=True))[1] == {"leading zeros": [1, 2]}
    for other in (column(), column(tags=[Tags.TIME]), column(tags=[Tags.CATEGORICAL], dtype="string")):
        assert conformed(texts[:-1], other)[1] == {}


def test_a_time_that_is_none_breaks_a_rule_of_its_own() -> None:
    texts = pa.array(["2018-09-20", "11/9/2019 9:05:58 AM", "1.5", "", "7"])
    assert conformed(texts, column(tags=[Tags.TIME]))[1] == {"time": [1, 2], "null": [3]}
    assert conformed(texts, column(tags=[Tags.TIME], dtype="float64"))[1] == {"time": [1], "null": [3]}
    assert conformed(texts, column(dtype="float64"))[1] == {"dtype": [0, 1], "null": [3]}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-9, 9), min_size=1), st.sampled_from(["float32", "float64"]))
def test_the_least_and_the_most_value_lie_in_their_own_domain(numbers: list[float], dtype: str) -> None:
    domain = {"domain": {"min": min(numbers), "max": max(numbers)}}
    assert conformed(pa.array(numbers), column(dtype=dtype, properties=domain))[1] == {}
    assert conformed(pa.array([numbers]), column(dtype=dtype, properties=domain, is_list=True))[1] == {}


def test_the_next_float_is_outside_of_the_domain() -> None:
    above, below = (float(np.nextafter(np.float32(bound), np.float32(to))) for bound, to in ((0.3, 1), (0.1, 0)))
    values = pa.array([above, 0.3, 0.1, below], pa.float32())
    wanted = column(dtype="float32", properties={"domain": {"min": 0.1, "max": 0.3}})
    assert conformed(values, wanted)[1] == {"domain": [0, 3]}
