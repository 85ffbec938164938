"""`validate`: every rule is reached from a real file, and told with its file and row."""

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual.data import validate
from tfdual.data.faults import RULES
from tfdual.data.validation import ValidationReport
from tfdual.schema import ColumnSchema, Schema, Tags

SCHEMA = Schema(
    [
        ColumnSchema("id", [Tags.ID], {"domain": {"max": 99}}),
        ColumnSchema("group", [Tags.CATEGORICAL], {"domain": {"name": "group"}}, dtype="int32"),
        ColumnSchema("age", dtype="float32"),
        ColumnSchema("name", dtype="string"),
        ColumnSchema("ids", is_list=True, properties={"value_count": {"max": 3}, "weights": "weights"}),
        ColumnSchema("weights", dtype="float32", is_list=True),
        ColumnSchema("vector", dtype="float32", dims=(None, 2)),
    ]
)
GOOD = {"id": 1, "group": 2, "age": 3.5, "name": "x", "ids": [1, 2], "weights": [0.5, 0.5], "vector": [1.0, 2.0]}
TYPED = {  # What a typed file can hold.
    ("age", "null"): {"age": None},
    ("age", "nan"): {"age": math.nan},
    ("age", "infinite"): {"age": -math.inf},
    ("group", "negative"): {"group": -1},
    ("id", "domain"): {"id": 100},
    ("group", "overflow"): {"group": 2**31},
    ("name", "utf-8"): {"name": b"caf\xe9"},
    ("ids", "length"): {"ids": [1, 2, 3, 4], "weights": [0.1] * 4},
    ("vector", "width"): {"vector": [1.0]},
    ("weights", "weights"): {"weights": [0.5]},
    ("ids", "negative"): {"ids": [1, -2]},
    ("vector", "nan"): {"vector": [math.nan, 1.0]},
}
TEXTUAL = TYPED | {("id", "dtype"): {"id": "one"}, ("ids", "dtype"): {"ids": "none"}}


def rows_with(faults: dict) -> list[dict[str, Any]]:
    """Good rows, and every second row with one fault."""
    return [row for fault in faults.values() for row in (GOOD, GOOD | fault)]


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    types = {"group": pa.int64(), "name": pa.binary(), "ids": pa.list_(pa.int64()), "vector": pa.list_(pa.float32())}
    rows = [row | {"name": row["name"] if isinstance(row["name"], bytes) else row["name"].encode()} for row in rows]
    table = pa.table({name: pa.array([row[name] for row in rows], types.get(name)) for name in GOOD})
    pq.write_table(table, path.with_suffix(".parquet"), row_group_size=5)
    return path.with_suffix(".parquet")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    def cell(value: Any) -> bytes:
        if isinstance(value, list):
            value = json.dumps(value).replace(" ", "").replace('"', "")
            return f'"{value}"'.encode()
        return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()

    lines = [",".join(GOOD).encode(), *(b",".join(cell(row[name]) for name in GOOD) for row in rows)]
    path.with_suffix(".csv").write_bytes(b"\n".join(lines) + b"\n")
    return path.with_suffix(".csv")


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    def line(row: dict[str, Any]) -> bytes:
        name = row["name"] if isinstance(row["name"], bytes) else row["name"].encode()
        return json.dumps(row | {"name": "?"}).encode().replace(b'"?"', b'"' + name + b'"')

    path.with_suffix(".jsonl").write_bytes(b"\n".join(map(line, rows)) + b"\n")
    return path.with_suffix(".jsonl")


def found(report: ValidationReport) -> dict[tuple[str, str], list[tuple[str, int | None]]]:
    return {
        (each.column, each.rule): [(Path(file).name, row) for file, row, _ in each.first] for each in report.findings
    }


@pytest.mark.parametrize(
    "write, faults", [(write_parquet, TYPED), (write_csv, TEXTUAL), (write_jsonl, TEXTUAL)], ids=lambda x: str(x)[:22]
)
def test_each_fault_is_found_at_its_row_and_nothing_else(tmp_path: Path, write: Callable, faults: dict) -> None:
    path = write(tmp_path / "rows", rows_with(faults))
    report = validate(path, SCHEMA)
    expected = {key: [(path.name, 2 * i + 1)] for i, key in enumerate(faults)}
    if path.suffix == ".jsonl":  # A line that is no UTF-8 is wrong as a whole.
        expected["", "utf-8"] = expected.pop(("name", "utf-8"))
    if write is not write_parquet:  # What is no list has another length than its weights.
        expected["weights", "weights"].append((path.name, 2 * list(faults).index(("ids", "dtype")) + 1))
    assert found(report) == expected
    assert all(each.count == len(each.first) for each in report.findings)
    assert (report.rows, report.bad_rows, report.is_valid) == (2 * len(faults), len(faults), False)


@pytest.mark.parametrize("write", [write_parquet, write_csv, write_jsonl], ids=lambda x: x.__name__)
def test_good_rows_are_valid(tmp_path: Path, write: Callable) -> None:
    report = validate(write(tmp_path / "rows", [GOOD] * 12), SCHEMA)
    assert (report.rows, report.bad_rows, report.findings, report.is_valid) == (12, 0, [], True)


def test_rows_are_counted_in_each_file_of_a_directory(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", [GOOD, GOOD | {"age": None}])
    write_csv(tmp_path / "b", [GOOD, GOOD, GOOD | {"age": None}])
    report = validate(tmp_path, SCHEMA)
    assert found(report) == {("age", "null"): [("a.csv", 1), ("b.csv", 2)]}
    assert (report.rows, report.bad_rows) == (5, 2)


def test_a_row_with_several_faults_is_one_bad_row(tmp_path: Path) -> None:
    report = validate(write_jsonl(tmp_path / "rows", [GOOD | {"age": None, "id": -1, "vector": []}]), SCHEMA)
    assert found(report).keys() == {("age", "null"), ("id", "negative"), ("vector", "width")}
    assert report.bad_rows == 1


def test_malformed_rows_count_as_rows(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b'id,name\n1,"two\nlines"\n2\n\n3,a,b\n4,a\x00b\n-5,x\n')
    report = validate(tmp_path / "r.csv", SCHEMA.select_by_name(["id", "name"]))
    assert found(report) == {("", "malformed"): [("r.csv", 1), ("r.csv", 2)], ("id", "negative"): [("r.csv", 4)]}
    (tmp_path / "r.jsonl").write_text('{"id": 1}\nnope\n[1]\n{"id": -5}\n{"id":' + "[" * 5_000 + "]" * 5_000 + "}\n")
    report = validate(tmp_path / "r.jsonl", SCHEMA.select_by_name("id"))
    assert found(report)["", "malformed"] == [("r.jsonl", 1), ("r.jsonl", 2), ("r.jsonl", 4)]
    assert found(report)["id", "negative"] == [("r.jsonl", 3)]


def test_mixed_types_in_json_are_told_even_where_the_text_is_a_number(tmp_path: Path) -> None:
    lines = ['{"id": 1, "age": 2}', '{"id": "2", "age": "2.5"}', '{"id": true, "age": [1]}', '{"id": 1.5, "age": 1}']
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    report = validate(tmp_path / "r.jsonl", SCHEMA.select_by_name(["id", "age"]))
    assert [(each.column, each.rule, each.count) for each in report.findings] == [
        ("age", "dtype", 2),
        ("id", "dtype", 3),
    ]
    assert report.findings[1].first[0][2] == "2"


def test_half_a_surrogate_is_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"name": "\\ud83d"}\n{"name": "\\ud83d\\ude00"}\n')
    assert found(validate(tmp_path / "r.jsonl", SCHEMA.select_by_name("name"))) == {("name", "utf-8"): [("r.jsonl", 0)]}


@pytest.mark.parametrize("text", ['{"m": {"id": 1, "id": 2}}', '{"m": {"id": 1}, "m": {"id": 1}}'])
def test_a_feature_that_stands_twice_in_a_row_is_told(tmp_path: Path, text: str) -> None:
    good = '{"category_id_features_map": {"id": 1}}\n'
    (tmp_path / "r.jsonl").write_text(good + text.replace('"m"', '"category_id_features_map"') + "\n" + good)
    report = validate(tmp_path / "r.jsonl", SCHEMA.select_by_name("id"))
    assert [(each.rule, each.count, each.first[0][1]) for each in report.findings] == [("duplicate feature", 1, 1)]


def test_rows_are_right_far_behind_the_first_block(tmp_path: Path) -> None:
    rows = 200_000
    bad = [70_001, 150_000, rows - 1]
    names = [("bad" if i in bad else "") + "x" * 40 for i in range(rows)]
    values = [-1 if i in bad else i % 100 for i in range(rows)]
    (tmp_path / "r.csv").write_text("id,name\n" + "".join(f"{v},{n}\n" for v, n in zip(values, names, strict=True)))
    lines = (f'{{"id": {v}, "name": "{n}"}}\n' for v, n in zip(values, names, strict=True))
    (tmp_path / "r.jsonl").write_text("".join(lines))
    pq.write_table(pa.table({"id": values, "name": names}), tmp_path / "r.parquet", row_group_size=60_000)
    for path in sorted(tmp_path.iterdir()):
        assert path.suffix == ".parquet" or path.stat().st_size > 8 << 20
        report = validate(path, SCHEMA.select_by_name(["id", "name"]))
        assert found(report) == {("id", "negative"): [(path.name, row) for row in bad]}
        assert report.rows == rows


def test_whole_columns_are_findings_of_the_rows_of_their_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "age": ["a", "b"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [1, -2, 3], "age": [1.0, 2.0, 3.0]}), tmp_path / "b.parquet")
    report = validate(tmp_path / "*.parquet", SCHEMA.select_by_name(["id", "age"]))
    assert found(report) == {("age", "dtype"): [("a.parquet", None)], ("id", "negative"): [("b.parquet", 1)]}
    assert [(each.count, each.first[0][2]) for each in report.findings] == [(2, "string instead of float"), (1, -2)]
    assert (report.rows, report.bad_rows) == (5, 3)


@pytest.mark.parametrize("name", ["r.parquet", "r.csv"])
def test_missing_and_duplicate_columns_are_findings(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "r.csv":
        path.write_text("id,id,age\n1,2,3\n4,5,inf\n")
    else:
        pq.write_table(
            pa.Table.from_arrays([pa.array([1, 4]), pa.array([2, 5]), pa.array([3, math.inf])], ["id", "id", "age"]),
            path,
        )
    report = validate(path, SCHEMA.select_by_name(["id", "age", "name"]))
    assert {(each.column, each.rule): each.count for each in report.findings} == {
        ("id", "duplicate column"): 2,
        ("name", "missing column"): 2,
        ("age", "infinite"): 1,
    }
    report = validate(path, SCHEMA.select_by_name(["id"]))
    assert (report.rows, report.bad_rows, len(report.findings)) == (2, 2, 1)


def test_every_rule_is_reached_here() -> None:
    reached = {rule for _, rule in TEXTUAL} | {"malformed", "duplicate feature", "missing column", "duplicate column"}
    assert reached | {"time", "leading zeros"} == set(RULES)


def test_times_and_leading_zeros_are_told_with_their_own_advice(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("group,when,age\n2,2018-09-20,3\n0012,11/9/2019,from 14.99\n")
    schema = SCHEMA.select_by_name(["group", "age"]) + Schema([ColumnSchema("when", [Tags.TIME])])
    report = validate(tmp_path / "r.csv", schema)
    assert found(report) == {
        ("age", "dtype"): [("r.csv", 1)],
        ("group", "leading zeros"): [("r.csv", 1)],
        ("when", "time"): [("r.csv", 1)],
    }
    advice = {each.rule: each.cells()[-1] for each in report.findings}
    assert "seconds" not in advice["dtype"]
    assert "ISO 8601" in advice["time"]
    assert "dtype string" in advice["leading zeros"]


def test_a_report_is_a_table_and_json(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r", [GOOD, GOOD | {"age": math.nan}, GOOD | {"age": "inf"}, GOOD | {"age": "inf"}])
    seen: list[int] = []
    report = validate(path, SCHEMA, progress=seen.append)
    head, titles, infinite, nan = repr(report).splitlines()
    assert head == "4 rows, 3 of them break a rule."
    assert titles.split() == ["column", "rule", "rows", "first", "at", "value", "what", "to", "do"]
    assert infinite.split()[:5] == ["age", "infinite", "2", f"{path}:2", "'inf'"]
    assert nan.split()[:3] == ["age", "nan", "1"]
    assert json.loads(report.to_json()) == {
        "is_valid": False,
        "rows": 4,
        "bad_rows": 3,
        "findings": [
            {
                "column": "age",
                "rule": "infinite",
                "count": 2,
                "first": [{"file": str(path), "row": row, "value": "inf"} for row in (2, 3)],
            },
            {"column": "age", "rule": "nan", "count": 1, "first": [{"file": str(path), "row": 1, "value": "nan"}]},
        ],
    }
    assert seen == [4]


def test_no_row_is_not_valid(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id\n")
    report = validate(tmp_path / "r.csv", SCHEMA.select_by_name("id"))
    assert (report.is_valid, report.rows) == (False, 0)
    assert "at least one row" in repr(report)


def test_only_the_first_faults_are_kept_and_all_are_counted() -> None:
    report = validate({"id": [-1] * 1_000}, SCHEMA.select_by_name("id"))
    assert (report.findings[0].count, [row for _, row, _ in report.findings[0].first]) == (1_000, [0, 1, 2, 3, 4])


def test_a_source_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        validate(tmp_path / "nowhere.csv", SCHEMA)
    (tmp_path / "r.parquet").write_text("not Parquet")
    with pytest.raises(ValueError, match=r"r\.parquet can't be read as Parquet"):
        validate(tmp_path / "r.parquet", SCHEMA)


@pytest.mark.parametrize("name", ["r.csv.gz", "r.jsonl.gz", "r.parquet"])
def test_a_file_that_breaks_off_is_named(tmp_path: Path, name: str) -> None:
    numbers = np.random.default_rng(0).integers(0, 99, 2_000_000)
    path = tmp_path / name
    if name == "r.parquet":
        pq.write_table(pa.table({"id": numbers}), path, compression="snappy")
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 5_000] = b"\xff" * 5_000
        path.write_bytes(bytes(content))
    else:
        line, head = ('{{"id": {}}}\n', "") if "json" in name else ("{}\n", "id\n")
        content = gzip.compress((head + "".join(map(line.format, numbers.tolist()))).encode(), 1)
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"{name} can't be read as .*Write it again") as caught:
        validate(path, SCHEMA.select_by_name("id"))
    assert not isinstance(caught.value, pa.ArrowInvalid)
