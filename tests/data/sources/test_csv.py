"""CSV as spreadsheets, databases and old systems write it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, read, validate
from tfdual.data.sources import csv

SCHEMA = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string")])
PLAIN = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


def rows(path: Path, content: bytes | str, schema: Schema = SCHEMA) -> list[dict[str, Any]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path, schema).to_arrow().to_pylist()


@pytest.mark.parametrize(
    "content",
    [
        "id,name\n1,a\n2,b\n",
        "id,name\n1,a\n2,b",
        "id,name\r\n1,a\r\n2,b\r\n",
        "id,name\r1,a\r2,b\r",
        "id,name\n1,a\n\n2,b\n\n\n",
        "\nid,name\n1,a\n2,b\n",
        "\ufeffid,name\n1,a\n2,b\n",
        "id;name\n1;a\n2;b\n",
        "id\tname\n1\ta\n2\tb\n",
        "id|name\n1|a\n2|b\n",
        '"id","name"\n"1","a"\n"2","b"\n',
        "name,id\na,1\nb,2\n",
        "id,name,more\n1,a,\n2,b,x\n",
        'id,"na""me",name\n1,x,a\n2,y,b\n',
        'id,"two\nlines",name\n1,x,a\n2,y,b\n',
    ],
)
def test_ends_of_lines_separators_quotes_and_byte_order_marks(tmp_path: Path, content: str) -> None:
    assert rows(tmp_path / "a.csv", content) == PLAIN


def test_quoted_values_hold_separators_quotes_and_ends_of_lines(tmp_path: Path) -> None:
    content = 'id,name\n1,"a,b"\n2,"say ""hi"""\n3,"two\nlines\r\nthree"\n4,"; | \t"\n'
    assert [row["name"] for row in rows(tmp_path / "a.csv", content)] == [
        "a,b",
        'say "hi"',
        "two\nlines\r\nthree",
        "; | \t",
    ]


def test_an_empty_field_is_null_and_a_quoted_one_empty(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string", properties={"nullable": True})])
    assert [row["name"] for row in rows(tmp_path / "a.csv", 'id,name\n1,\n2,""\n3,NULL\n', schema)] == [
        None,
        "",
        "NULL",
    ]


def test_a_separator_inside_the_header_is_told_by_what_stands_most(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("a,b", dtype="string"), ColumnSchema("c"), ColumnSchema("d")])
    assert rows(tmp_path / "a.csv", "a,b;c;d\nx;1;2\n", schema) == [{"a,b": "x", "c": 1, "d": 2}]


def test_rows_of_too_many_or_few_fields_are_named_by_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 256)
    wrong = (0, 33, 34, 150, 299)
    lines = [f"{i},name {i}" + (",more" if i in wrong else "") for i in range(300)]
    path = tmp_path / "a.csv"
    path.write_text("id,name\n" + "\n".join(lines) + "\n")
    report = validate(path, SCHEMA)
    assert (report.rows, report.bad_rows) == (300, 5)
    assert [row for _, row, _ in report.findings[0].first] == list(wrong)
    assert report.findings[0].rule == "malformed"
    good = read(path, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert good.to_arrow()["id"].to_pylist() == [i for i in range(300) if i not in wrong]


def test_places_count_rows_where_the_file_holds_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,name\n1,a\n\n2\n\n3,c\n4,d,e\n")
    report = validate(path, SCHEMA)
    assert [row for _, row, _ in report.findings[0].first] == [1, 3]
    assert report.rows == 4


def test_a_header_alone_or_nothing_is_no_rows(tmp_path: Path) -> None:
    for content in ("id,name\n", "id,name", "", "\n\n"):
        with pytest.raises(ValueError, match=r"a\.csv has no rows"):
            rows(tmp_path / "a.csv", content)


def test_an_empty_file_among_others_holds_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert rows(tmp_path / "b.csv", "id,name\n1,a\n") == read(tmp_path, SCHEMA).take(9)
    assert len(read(tmp_path, SCHEMA)) == 1


@pytest.mark.parametrize("content", ["id,naïve\n1,a\n".encode("latin-1"), "id,name\n1,a\n".encode("utf-16")])
def test_a_file_without_a_header_of_text_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"a\.csv can't be read as CSV: its first line is no header of column names"):
        rows(tmp_path / "a.csv", content)


def test_a_name_that_stands_twice_in_the_header_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.csv has the column 'id' more than once"):
        rows(tmp_path / "a.csv", "id,name,id\n1,a,2\n")


def test_text_that_is_not_utf_8_is_named_with_its_row(tmp_path: Path) -> None:
    content = b"id,name\n1,a\n2,Z\xfcrich\n"
    with pytest.raises(ValueError, match=r"Column 'name' of .*a\.csv, row 1: the text is not UTF-8"):
        rows(tmp_path / "a.csv", content)
    assert rows(tmp_path / "a.csv", content, Schema(["id"])) == [{"id": 1}, {"id": 2}]


def test_a_truncated_packed_file_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,name\n" + b"".join(b"%d,name %d\n" % (i, i * 7919) for i in range(50_000)))
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"a\.csv\.gz can't be read as CSV"):
        read(tmp_path / "a.csv.gz", SCHEMA).to_arrow()
    (tmp_path / "b.csv.gz").write_bytes(b"id,name\n1,a\n")
    with pytest.raises(ValueError, match=r"b\.csv\.gz can't be read as CSV"):
        read(tmp_path / "b.csv.gz", SCHEMA)


def test_a_quote_that_is_never_closed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,name\n1,a\n2,"b\n' + "".join(f"{i},x\n" for i in range(3, 2_000_000)))
    with pytest.raises(ValueError, match=r"a\.csv"):
        read(path, SCHEMA).to_arrow()


def test_files_of_a_directory_may_differ_in_separator_and_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.tsv").write_text("name\tid\nb\t2\n")
    assert read(tmp_path, SCHEMA).to_arrow().to_pylist() == PLAIN


def test_a_filter_keeps_the_rows_that_fit(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n2,b\n3,c\n")
    assert (
        read(tmp_path / "a.csv", SCHEMA, filter=[("id", ">", 1), ("name", "!=", "c")]).to_arrow().to_pylist()
        == PLAIN[1:]
    )


def test_separators_in_quotes_do_not_tell_the_separator(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("a|b|c", dtype="string"), ColumnSchema("d")])
    assert rows(tmp_path / "a.csv", '"a|b|c",d\nx,1\n', schema) == [{"a|b|c": "x", "d": 1}]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_header_of_another_encoding_says_how_to_name_it(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ValueError, match=r"no header of column names in utf-8.*CsvFormat\(encoding="):
        rows(tmp_path / "a.csv", "id,naïve\n1,a\n".encode(encoding))


def test_malformed_rows_that_are_not_utf_8_are_found_like_others(tmp_path: Path) -> None:
    path = tmp_path / "bx.csv"
    path.write_bytes("id;name\n1;ok\n2;caf\xe9\n3;x;caf\xe9\n4;ok\n".encode("latin-1"))
    report = validate(path, SCHEMA)
    found = {(each.column, each.rule): [(row, value) for _, row, value in each.first] for each in report.findings}
    assert found == {("", "malformed"): [(2, "3;x;caf\\xe9")], ("name", "utf-8"): [(1, "caf\\xe9")]}
    good = read(path, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert good.to_arrow()["id"].to_pylist() == [1, 4]
    data = pq.read_table(tmp_path / "bad.parquet")["data"].to_pylist()
    assert data == ['{"id": "2", "name": "caf\\\\xe9"}', "3;x;caf\\xe9"]


def test_every_row_that_is_not_utf_8_is_put_aside_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 100)
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,name\n" + b"".join(b"%d,Z%crich\n" % (i, 0xFC if i % 3 else 0x75) for i in range(99)))
    read(path, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    bad = pq.read_table(tmp_path / "bad.parquet").to_pydict()
    assert bad["row"] == [i for i in range(99) if i % 3]
    assert {json.loads(each)["name"] for each in bad["data"]} == {"Z\\xfcrich"}


def test_characters_are_whole_wherever_a_block_of_bytes_ends(tmp_path: Path) -> None:
    words = ["ü" * (1 << 20) + "x" * shift for shift in (0, 1, 1)] * 4
    content = "id,name\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words))
    assert [row["name"] for row in rows(tmp_path / "a.csv", content)] == words
    (tmp_path / "a.csv").write_bytes(content.encode() + b"99,caf\xc3")
    report = validate(tmp_path / "a.csv", SCHEMA)
    assert [(each.rule, each.first[0][1:]) for each in report.findings] == [("utf-8", (len(words), "caf\\xc3"))]


def test_files_of_a_folder_may_lack_what_the_schema_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "2023.csv").write_text("device,id,name\nx,1,a\ny,2,b\n")
    (tmp_path / "2024.csv").write_text("id,name\n3,c\n")
    found = read(tmp_path, SCHEMA)
    assert len(found) == 3
    assert [batch["id"].numpy().tolist() for batch in found.batch(2)] == [[1, 2], [3]]
    (tmp_path / "2025.csv").write_text("device\nz\n")
    report = validate(tmp_path, SCHEMA)
    assert {(fault.column, fault.rule, fault.count) for fault in report.findings} == {
        ("id", "missing column", 1),
        ("name", "missing column", 1),
    }
