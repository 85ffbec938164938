"""JSON lines: what is a row, what is not, and what is told."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, Tags, read, validate
from tfdual.data.sources import json_lines

SCHEMA = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string")])
PLAIN = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


@pytest.mark.parametrize(
    "content",
    [
        '{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
        '{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}',
        '{"id": 1, "name": "a"}\r\n{"id": 2, "name": "b"}\r\n',
        '\n{"id": 1, "name": "a"}\n\n  \n{"id": 2, "name": "b"}\n\n',
        '\t\n{"id": 1, "name": "a"}\n\t\n \t\r\n\x0b\n  {"id": 2, "name": "b"} \n\x0c\n\t',
        '\ufeff{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
        '{"name": "a", "id": 1, "more": {"x": [1]}}\n{"more": 3, "id": 2, "name": "b"}\n',
    ],
)
def test_ends_of_lines_blank_lines_and_byte_order_marks(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content.encode())
    rows = read(tmp_path / "a.jsonl", SCHEMA)
    assert rows.to_arrow().to_pylist() == PLAIN
    assert len(rows) == 2


def test_lines_are_whole_wherever_a_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": i, "name": "ü" * (i * 37 % 101)} for i in range(300)]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    for size in (64, 100, 1000):
        monkeypatch.setattr(json_lines, "BLOCK_BYTES", size)
        assert read(tmp_path / "a.jsonl", SCHEMA).to_arrow().to_pylist() == rows


def test_a_line_longer_than_a_block_is_one_row(tmp_path: Path) -> None:
    text = "x" * (9 << 20)
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1, "name": text}) + "\n" + json.dumps({"id": 2, "name": "b"}))
    rows = read(tmp_path / "a.jsonl", SCHEMA).to_arrow()
    assert rows["id"].to_pylist() == [1, 2]
    assert rows["name"][0].as_py() == text


def test_every_wrong_line_is_named_with_its_rule(tmp_path: Path) -> None:
    lines = [
        '{"id": 0, "name": "good"}',
        '{"id": 1, "name": ',
        "[1, 2]",
        '{"id": "3", "name": "text is no number"}',
        '{"id": 4.5, "name": "a part of an id"}',
        '{"id": 5, "id": 6, "name": "twice"}',
        '{"id": 9223372036854775808, "name": "too large"}',
        '{"id": 7, "name": true}',
        '{"id": 8}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    report = validate(tmp_path / "a.jsonl", SCHEMA)
    found = {(each.column, each.rule): [row for _, row, _ in each.first] for each in report.findings}
    assert found == {
        ("", "malformed"): [1, 2],
        ("id", "dtype"): [3, 4],
        ("id", "duplicate feature"): [5],
        ("id", "overflow"): [6],
        ("name", "dtype"): [7],
        ("name", "null"): [8],
    }
    assert (report.rows, report.bad_rows) == (9, 8)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ('{"id": 0, "name": "a"}{"id": 1, "name": "b"}\n{"id": 2, "name": "c"}\n', [0]),
        ('{"id": 0, "name": "a"}\n\n{"id": 1, "name": "b"} {"id": 2, "name": "c"}\n', [1]),
        ('{"id": 0, "name": "a"}\n{"id": 1,\n"name": "b"}\n', [1, 2]),
    ],
)
def test_a_row_is_an_object_that_has_a_line_of_its_own(tmp_path: Path, content: str, wrong: list[int]) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    lines = [line for line in content.split("\n") if line]
    bad = tmp_path / "bad.parquet"
    kept = read(tmp_path / "a.jsonl", SCHEMA, on_error="quarantine", quarantine=bad)
    assert kept.to_arrow().to_pylist() == [json.loads(line) for i, line in enumerate(lines) if i not in wrong]
    assert len(read(tmp_path / "a.jsonl", SCHEMA)) == len(lines)
    aside = pq.read_table(bad).to_pylist()
    assert [(each["row"], each["reasons"], each["data"]) for each in aside] == [
        (i, ["malformed"], lines[i]) for i in wrong
    ]


def test_objects_over_several_lines_only_are_no_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row, indent=2) + "\n" for row in PLAIN))
    with pytest.raises(
        ValueError, match=r"a\.jsonl can't be read as JSON lines: no line of its start is a JSON object"
    ):
        read(tmp_path / "a.jsonl", SCHEMA)


def test_dicts_of_python_are_told_how_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("".join(f"{row}\n" for row in PLAIN))
    with pytest.raises(
        ValueError, match=r"a JSON object\. Its lines are dicts of Python, which `ast.literal_eval` reads"
    ):
        read(tmp_path / "a.json", SCHEMA)


def test_a_column_that_appears_after_the_first_rows_is_read(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string", properties={"nullable": True})])
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2, "name": null}\n{"id": 3, "name": "c"}\n')
    assert [row["name"] for row in read(tmp_path / "a.jsonl", schema).take(9)] == [None, None, "c"]


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 9007199254740993, "x": 1}\n{"id": 9223372036854775807, "x": 0.1}\n')
    schema = Schema([ColumnSchema("id"), ColumnSchema("x", dtype="float64")])
    assert read(tmp_path / "a.jsonl", schema).take(9) == [{"id": 2**53 + 1, "x": 1.0}, {"id": 2**63 - 1, "x": 0.1}]


@pytest.mark.parametrize("content", [b"", b"id,name\n1,a\n", b"[]", b"\x00\xff\xfe", b'"text"\n'])
def test_what_is_no_json_lines_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.jsonl (can't be read as JSON lines|has no rows)"):
        read(tmp_path / "a.jsonl", SCHEMA)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_among_others_holds_no_row(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PLAIN))
    assert len(read(tmp_path, SCHEMA)) == len(PLAIN)
    assert read(tmp_path, SCHEMA).to_arrow() == read(tmp_path / "b.jsonl", SCHEMA).to_arrow()


def test_one_array_of_objects_is_no_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(PLAIN, indent=2))
    with pytest.raises(ValueError, match=r"a\.json can't be read as JSON lines"):
        read(tmp_path / "a.json", SCHEMA)


def test_a_truncated_packed_file_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"id": %d, "name": "n%d"}\n' % (i, i * 7919) for i in range(300_000)))
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz can't be read as JSON lines"):
        read(tmp_path / "a.jsonl.gz", SCHEMA).to_arrow()


def test_a_filter_keeps_the_rows_that_fit(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PLAIN))
    assert read(tmp_path / "a.jsonl", SCHEMA, filter=[("name", "=", "b")]).take(9) == PLAIN[1:]


OPTIONAL = Schema(
    [ColumnSchema("asin", dtype="string"), ColumnSchema("price", dtype="float32", properties={"nullable": True})]
)
REQUIRED = OPTIONAL.replace("price", properties={})


def test_a_key_that_a_file_lacks_is_a_missing_value(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"asin": "A", "price": 1.5}\n')
    (tmp_path / "b.jsonl").write_text('{"asin": "B"}\n')
    assert read(tmp_path, OPTIONAL).to_arrow()["price"].to_pylist() == [1.5, None]
    assert validate(tmp_path, OPTIONAL).is_valid


def test_a_key_that_comes_after_the_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "SAMPLE_BYTES", 1000)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 5000)
    rows = [{"asin": str(i)} | ({"price": 2.5} if i >= 900 else {}) for i in range(1000)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.warns(UserWarning, match=r"hold no \['price'\].*They hold \['asin'\]; .* if a name is mistyped"):
        found = read(tmp_path / "a.jsonl", OPTIONAL)
    assert found.to_arrow()["price"].to_pylist() == [None] * 900 + [2.5] * 100


def test_a_key_that_no_first_row_has_and_no_row_may_lack_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"asin": "B"}\n')
    with pytest.raises(
        ValueError, match=r"The first rows of .*b\.jsonl lack the columns \['price'\].*\['asin'\].*null"
    ):
        read(tmp_path, REQUIRED)
    assert [(each.column, each.rule) for each in validate(tmp_path, REQUIRED).findings] == [("price", "missing column")]


def test_a_number_in_a_column_of_strings_is_the_text_that_stands_there(tmp_path: Path) -> None:
    texts = ["14.990", "1e3", "9007199254740993.0", "-0", '"from 14.99"', "null"]
    lines = [f'{{"price": {text}, "sizes": [{text}], "string_features_map": {{"id": {text}}}}}' for text in texts[:-1]]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, '{"price": null, "sizes": []}']))
    columns = [ColumnSchema(name, dtype="string", properties={"nullable": True}) for name in ("price", "id")]
    schema = Schema([*columns, ColumnSchema("sizes", dtype="string", is_list=True)])
    expected = [*(text.strip('"') for text in texts[:-1]), None]
    table = read(tmp_path / "a.jsonl", schema).to_arrow()
    assert table["price"].to_pylist() == table["id"].to_pylist() == expected
    assert table["sizes"].to_pylist() == [*([text] for text in expected[:-1]), []]


def test_a_large_id_written_as_a_float_stays_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 76561197960287931.0, "ids": [3.0, 76561197960287931.0]}\n{"id": 3.0}\n')
    schema = Schema([ColumnSchema("id"), ColumnSchema("ids", properties={"nullable": True}, is_list=True)])
    assert read(tmp_path / "a.jsonl", schema).take(9) == [
        {"id": 76561197960287931, "ids": [3, 76561197960287931]},
        {"id": 3, "ids": []},
    ]


@pytest.mark.parametrize("mixed", [False, True], ids=["texts", "texts and lists"])
def test_delimited_lists_are_split(tmp_path: Path, mixed: bool) -> None:
    """As Yelp's businesses have them."""
    lines = ['{"kinds": "Food, Tea Rooms", "years": "2018|2020"}', '{"kinds": "", "years": "2019"}', '{"kinds": null}']
    lines += ['{"kinds": ["Pot, large", "Tea"], "years": [2017, 2018]}'] * mixed
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    kinds = ColumnSchema("kinds", [Tags.CATEGORICAL], {"delimiter": ", "}, dtype="string", is_list=True)
    years = ColumnSchema("years", [Tags.CATEGORICAL], {"delimiter": "|", "nullable": True}, dtype="int32", is_list=True)
    assert read(tmp_path / "a.jsonl", Schema([kinds.with_properties({"nullable": True}), years])).take(9) == [
        {"kinds": ["Food", "Tea Rooms"], "years": [2018, 2020]},
        {"kinds": [], "years": [2019]},
        {"kinds": [], "years": []},
        *[{"kinds": ["Pot, large", "Tea"], "years": [2017, 2018]}] * mixed,
    ]


def test_delimited_lists_inside_maps_are_split(tmp_path: Path) -> None:
    lines = ['{"id_list_features_map": {"years": "2018|2020"}}', '{"id_list_features_map": {"years": [2017]}}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    years = ColumnSchema("years", [Tags.CATEGORICAL], {"delimiter": "|"}, dtype="int64", is_list=True)
    assert read(tmp_path / "a.jsonl", Schema([years])).take(9) == [{"years": [2018, 2020]}, {"years": [2017]}]


@pytest.mark.parametrize("other", ["", '\n{"years": [2018]}'])
def test_delimited_values_of_another_type_are_named(tmp_path: Path, other: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"years": "2018|soon"}\n{"years": "0018"}' + other)
    years = ColumnSchema("years", [Tags.CATEGORICAL], {"delimiter": "|"}, dtype="int64", is_list=True)
    found = validate(tmp_path / "a.jsonl", Schema([years])).findings
    assert [(each.rule, [row for _, row, _ in each.first]) for each in found] == [
        ("dtype", [0]),
        ("leading zeros", [1]),
    ]


@pytest.mark.parametrize("content", ['[{"id": 1}, {"id": 2}]', '[\n {"id": 1},\n {"id": 2}\n]', '{\n "id": 1\n}'])
def test_of_one_json_document_the_lines_are_asked_for(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="It is one JSON document: write an object a line, as of an array `pandas"):
        read(tmp_path / "a.json", Schema([ColumnSchema("id")]))


def test_nan_is_no_text(tmp_path: Path) -> None:
    """As `json.dumps` writes a row of pandas in which a text is missing."""
    rows = [{"user": "nan", "tags": ["a"]}, {"user": float("nan"), "tags": ["a", float("nan")]}]
    rows += [{"user": float(sign + "inf"), "tags": []} for sign in ("", "-")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    user = ColumnSchema("user", dtype="string", properties={"nullable": True})
    tags = ColumnSchema("tags", dtype="string", is_list=True)
    for column, found in [
        (user, {"dtype": [2, 3]}),
        (user.with_properties({"nullable": False}), {"null": [1], "dtype": [2, 3]}),
        (tags, {"null": [1]}),
    ]:
        report = validate(tmp_path / "a.jsonl", Schema([column]))
        assert {each.rule: [row for _, row, _ in each.first] for each in report.findings} == found
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    assert read(tmp_path / "b.jsonl", Schema([user])).take(9) == [{"user": "nan"}, {"user": None}]
