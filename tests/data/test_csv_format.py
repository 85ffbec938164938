"""How a CSV file is written: said, checked at the door, and kept by everything that reads the file again."""

import csv as csv_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, CsvFormat, Schema, infer_schema, read, validate
from tfdual.data import join, random_split
from tfdual.data.sources import csv

NEWS = Schema([ColumnSchema("id", dtype="string"), ColumnSchema("title", dtype="string")])
HEADLINES = ['"Best" of 2019', '"Joker: a review', "Rain", '"Cats" flops"', "End"]
LIKES = Schema([ColumnSchema("user"), ColumnSchema("item")])


def write_news(folder: Path) -> Path:
    path = folder / "news.tsv"
    path.write_text("id\ttitle\n" + "".join(f"N{i}\t{title}\n" for i, title in enumerate(HEADLINES)))
    return path


@pytest.mark.parametrize(
    "options, message",
    [
        ({"separator": "::"}, "The separator of a CSV is one ASCII character"),
        ({"separator": ""}, "The separator of a CSV is one ASCII character"),
        ({"separator": "§"}, "Received '§'"),
        ({"quote": "\n"}, "The quote of a CSV is one ASCII character"),
        ({"escape": "\\\\"}, "The escape of a CSV is one ASCII character"),
        ({"separator": "'", "quote": "'"}, "Separator, quote and escape must differ"),
        ({"escape": '"'}, "Separator, quote and escape must differ"),
        ({"encoding": "latin-x"}, "There is no text encoding 'latin-x'"),
        ({"encoding": "rot13"}, "There is no text encoding 'rot13'"),
        ({"encoding": None}, "There is no text encoding None"),
        ({"column_names": "user"}, "column_names is a sequence of names"),
        ({"column_names": []}, r"Received \[\]"),
        ({"column_names": ["user", ""]}, "none of them empty"),
        ({"column_names": ["user", "user"]}, "twice"),
        ({"column_names": ["user", 7]}, "column_names is a sequence of names"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CsvFormat(**options)


def test_names_are_kept_as_a_tuple_so_that_a_format_can_be_hashed() -> None:
    assert hash(CsvFormat(column_names=["user", "item"])) == hash(CsvFormat(column_names=("user", "item")))


@pytest.mark.parametrize("source", [{"id": ["a"]}, "sqlite:///shop.db"])
def test_what_is_no_file_takes_no_format(source: Any) -> None:
    options = {"query": "likes"} if isinstance(source, str) else {}
    with pytest.raises(ValueError, match=r"are for files, and csv is, too\. Leave them out"):
        read(source, NEWS, csv=CsvFormat(), **options)


def test_a_file_of_another_format_takes_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1], "item": [2]}), tmp_path / "a.parquet")
    for call in (read, validate):
        with pytest.raises(ValueError, match=r"csv= is for CSV files\. .*a\.parquet is read as Parquet"):
            call(tmp_path / "a.parquet", LIKES, csv=CsvFormat())
    with pytest.raises(ValueError, match="csv= is for CSV files"):
        infer_schema(tmp_path, csv=CsvFormat())
    with pytest.raises(TypeError, match="csv is a CsvFormat, such as .* Received ';'"):
        read(tmp_path / "a.parquet", LIKES, csv=";")  # type: ignore[arg-type]


def test_quotes_that_are_text_stay_and_swallow_nothing(tmp_path: Path) -> None:
    rows = read(write_news(tmp_path), NEWS, csv=CsvFormat(quote=None))
    assert rows.to_arrow()["title"].to_pylist() == HEADLINES
    assert validate(write_news(tmp_path), NEWS, csv=CsvFormat(quote=None)).is_valid


def test_text_that_holds_the_separator_is_told_to_name_another(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("yes\nwell, no\n")
    schema = Schema([ColumnSchema("answer", dtype="string")])
    lines = CsvFormat(quote=None, column_names=["answer"])
    with pytest.raises(ValueError, match=r"more of them than there are names, .*separator='\\t'.* Received 'well, no'"):
        read(tmp_path / "a.csv", schema, csv=lines).take(2)
    lines = CsvFormat(separator="\t", quote=None, column_names=["answer"])
    assert read(tmp_path / "a.csv", schema, csv=lines).take(2) == [{"answer": "yes"}, {"answer": "well, no"}]


def test_a_row_of_a_tsv_that_swallowed_others_is_malformed(tmp_path: Path) -> None:
    path = write_news(tmp_path)
    report = validate(path, NEWS)
    assert [(each.rule, [row for _, row, _ in each.first]) for each in report.findings] == [("malformed", [1])]
    with pytest.raises(ValueError, match=r"news\.tsv, row 1: .*CsvFormat\(quote=None\)"):
        read(path, NEWS).to_arrow()
    good = read(path, NEWS, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert good.to_arrow()["id"].to_pylist() == ["N0", "N4"]
    assert "Rain" in pq.read_table(tmp_path / "bad.parquet")["data"][0].as_py()


def test_a_quoted_value_of_a_tsv_may_hold_tabs_or_ends_of_lines(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('id\ttitle\n1\t"a\tb"\n2\t"a\nb"\n')
    assert read(tmp_path / "a.tsv", NEWS).to_arrow()["title"].to_pylist() == ["a\tb", "a\nb"]
    (tmp_path / "a.csv").write_text('id,title\n1,"a\tb\nc"\n')
    assert read(tmp_path / "a.csv", NEWS).to_arrow()["title"].to_pylist() == ["a\tb\nc"]


def test_a_quote_that_opens_more_than_a_block_says_how_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 256)
    (tmp_path / "a.tsv").write_text('id\ttitle\nN0\t"open\n' + "".join(f"N{i}\tx\n" for i in range(400)))
    with pytest.raises(ValueError, match=r"a\.tsv can't be read as CSV: a row is longer .*CsvFormat\(quote=None\)"):
        read(tmp_path / "a.tsv", NEWS).to_arrow()
    assert len(read(tmp_path / "a.tsv", NEWS, csv=CsvFormat(quote=None))) == 401


def test_other_separators_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id:title\n1:'a:b'\n2:'c'\n")
    rows = read(tmp_path / "a.csv", NEWS, csv=CsvFormat(separator=":", quote="'"))
    assert rows.to_arrow()["title"].to_pylist() == ["a:b", "c"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-8", "shift_jis"])
def test_text_of_any_encoding_is_read_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 100)
    word = "東京" if encoding == "shift_jis" else "Zürich"
    titles = [f"{word} {i}" for i in range(200)]
    text = "id,title\n" + "".join(f"N{i},{title}\n" for i, title in enumerate(titles))
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    rows = read(tmp_path / "a.csv", NEWS, csv=CsvFormat(encoding=encoding))
    assert rows.to_arrow()["title"].to_pylist() == titles


def test_bytes_that_the_encoding_lacks_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,title\nN0,a\nN1,\x81b\n")
    report = validate(tmp_path / "a.csv", NEWS, csv=CsvFormat(encoding="cp1252"))
    assert [(each.column, each.rule, each.first[0][1:]) for each in report.findings] == [
        ("title", "utf-8", (1, "\\x81b"))
    ]


@pytest.mark.parametrize("options", [{}, {"format": "csv"}])
def test_a_file_without_a_header_is_named_by_the_format(tmp_path: Path, options: dict[str, str]) -> None:
    (tmp_path / "u.data").write_text("196\t242\n186\t302\n22\t377\t3\n")
    written = CsvFormat(column_names=["user", "item"])
    report = validate(tmp_path / "u.data", LIKES, csv=written, **options)
    assert report.rows == 3
    assert [(each.rule, [row for _, row, _ in each.first]) for each in report.findings] == [("malformed", [2])]
    assert infer_schema(tmp_path / "u.data", csv=written, print_reasons=False, **options)["item"].dtype == "int64"


def test_one_line_without_a_header_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\n1,2")
    assert read(tmp_path / "a.csv", LIKES, csv=CsvFormat(column_names=["user", "item"])).take(9) == [
        {"user": 1, "item": 2}
    ]


def test_named_columns_tell_the_separator(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("N0\tHello, world, a, b\nN1\tc\n")
    rows = read(tmp_path / "a.tsv", NEWS, csv=CsvFormat(column_names=["id", "title"]))
    assert rows.to_arrow()["title"].to_pylist() == ["Hello, world, a, b", "c"]


@pytest.mark.parametrize("names", [["user"], ["user", "item", "stars", "time"]])
def test_as_many_names_as_fields_are_wanted(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "u.data").write_text("196\t242\t3\n")
    with pytest.raises(ValueError, match=rf"u\.data has 3 fields, .*'242'.*names {len(names)} columns, .*'user'"):
        read(tmp_path / "u.data", LIKES, csv=CsvFormat(column_names=names))


def test_values_in_the_place_of_a_header_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("196,242,3,881250949\n186,302,3,891717742\n")
    with pytest.raises(ValueError, match=r"It has \['196', .*CsvFormat\(column_names=\[\.\.\.\]\)"):
        read(tmp_path / "a.csv", LIKES)


def test_what_reads_the_file_again_keeps_the_format(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_bytes("".join(f"{i}|Café {i}\n" for i in range(40)).encode("latin-1"))
    schema = Schema([ColumnSchema("item"), ColumnSchema("title", dtype="string")])
    rows = read(tmp_path / "u.data", schema, csv=CsvFormat(encoding="latin-1", column_names=["item", "title"]))
    expected = [f"Café {i}" for i in range(40)]

    def titles(some: Any) -> list[str]:
        return some.to_arrow()["title"].to_pylist()

    assert titles(rows) == titles(rows) == expected
    assert titles(rows.shard(0, 2)) + titles(rows.shard(1, 2)) == expected
    left, right = map(titles, random_split(rows, (0.5, 0.5), seed=0))
    assert sorted(left + right) == sorted(expected)
    likes = read({"item": [3, 1]}, Schema(["item"]))
    assert titles(join(likes, rows, on="item")) == ["Café 3", "Café 1"]
    batches = rows.batch(10, shuffle=True, seed=1), rows.batch(10, shuffle=True, seed=1, start=1)
    whole, rest = ([batch["title"].numpy().tolist() for batch in each] for each in batches)
    assert rest == whole[1:]


BOOKS = ['The "Best" of, all', '22" monitor', "plain", "two\nlines", 'a "b"', "\\", '"']
ESCAPED = [f'"{title}"' for title in (each.replace("\\", "\\\\").replace('"', '\\"') for each in BOOKS)]


@pytest.mark.parametrize("first", range(len(BOOKS)))
def test_escaped_quotes_are_read_as_the_csv_module_of_python_reads_them(tmp_path: Path, first: int) -> None:
    lines = [f"{title};{i}\n" for i, title in enumerate(ESCAPED[first:])]
    (tmp_path / "a.csv").write_text("".join(lines))
    rows = list(csv_module.reader("".join(lines).splitlines(True), delimiter=";", escapechar="\\", doublequote=False))
    assert [row[0] for row in rows] == BOOKS[first:]
    schema = Schema([ColumnSchema("title", dtype="string"), ColumnSchema("item")])
    written = CsvFormat(column_names=["title", "item"], escape="\\")
    table = read(tmp_path / "a.csv", schema, csv=written).to_arrow()
    assert table["title"].to_pylist() == BOOKS[first:]
    assert table["item"].to_pylist() == list(range(len(BOOKS) - first))


def test_a_row_that_a_backslash_breaks_says_how_to_read_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,title\n1,"The \\"Best\\" of, all"\n')
    with pytest.raises(ValueError, match=r"row 0: .*behind a backslash, pass csv=CsvFormat\(escape="):
        read(tmp_path / "a.csv", NEWS).to_arrow()
    assert read(tmp_path / "a.csv", NEWS, csv=CsvFormat(escape="\\")).take(1)[0]["title"] == BOOKS[0]
