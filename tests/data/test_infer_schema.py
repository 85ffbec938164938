"""A schema guessed from any source fits the rows of that source."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tfdual import CsvFormat, Schema, infer_schema, read, validate
from tfdual.data.sources import json_lines

COUNT = 300
COLUMNS = {
    "user_id": [i % 40 for i in range(COUNT)],
    "movie_id": [f"m{i % 70}" for i in range(COUNT)],
    "price": [i / 8 for i in range(COUNT)],
    "title": [f"The story of number {i} and of its friends" for i in range(COUNT)],
    "genres": [["drama", "war"][: 1 + i % 2] for i in range(COUNT)],
    "timestamp": [1_600_000_000 + i for i in range(COUNT)],
}
KINDS = {
    "user_id": "categorical",
    "movie_id": "categorical",
    "price": "dense",
    "title": "string",
    "genres": "id_list",
    "timestamp": "dense",
}
TABLE = pa.table(COLUMNS)


def as_rows() -> list[dict[str, Any]]:
    return TABLE.to_pylist()


def write_csv(folder: Path) -> Path:
    joined = TABLE.set_column(4, "genres", pa.array(["|".join(genres) for genres in COLUMNS["genres"]]))
    pyarrow.csv.write_csv(joined, folder / "rows.csv")
    return folder / "rows.csv"


def write_json(folder: Path) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in as_rows()))
    return folder / "rows.jsonl"


def write_parquet(folder: Path) -> Path:
    pq.write_table(TABLE, folder / "rows.parquet")
    return folder / "rows.parquet"


def write_arrow(folder: Path) -> Path:
    pyarrow.feather.write_feather(TABLE, folder / "rows.arrow")
    return folder / "rows.arrow"


def write_tfrecord(folder: Path) -> Path:
    with tf.io.TFRecordWriter(str(folder / "rows.tfrecord")) as writer:
        for row in as_rows():
            features = {name: feature(value) for name, value in row.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return folder / "rows.tfrecord"


def feature(value: Any) -> tf.train.Feature:
    values = value if isinstance(value, list) else [value]
    if isinstance(values[0], str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[each.encode() for each in values]))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


FILES = [write_csv, write_json, write_parquet, write_arrow, write_tfrecord]
FRAMES = {"table": lambda: TABLE, "pandas": TABLE.to_pandas, "polars": lambda: pl.DataFrame(COLUMNS)}


def kinds(schema: Schema) -> dict[str, str]:
    return {column.name: str(column.kind) for column in schema}


@pytest.mark.parametrize("write", FILES, ids=lambda write: write.__name__)
def test_a_file_of_every_format_gives_a_schema_that_its_rows_fit(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path)
    schema = infer_schema(path, print_reasons=False)
    assert kinds(schema) == KINDS
    assert validate(path, schema).is_valid
    assert read(path, schema).to_arrow()["genres"].to_pylist() == COLUMNS["genres"]


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_in_memory_gives_a_schema_that_its_rows_fit(name: str) -> None:
    schema = infer_schema(FRAMES[name](), print_reasons=False)
    assert kinds(schema) == KINDS
    assert validate(FRAMES[name](), schema).is_valid


def test_a_database_gives_a_schema_that_its_rows_fit(tmp_path: Path) -> None:
    frame = pd.DataFrame(COLUMNS).drop(columns="genres")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        frame.to_sql("likes", connection, index=False)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    schema = infer_schema(url, query="likes", print_reasons=False)
    assert kinds(schema) == {name: kind for name, kind in KINDS.items() if name != "genres"}
    assert validate(url, schema, query="likes").is_valid


def test_feature_maps_give_the_columns_inside(tmp_path: Path) -> None:
    row = {
        "dense_features_map": {"age": 3.5},
        "category_id_features_map": {"country": 7},
        "embedding_features_map": {"face": [0.5, 1.0]},
        "id_list_features_map": {"likes": [1, 2]},
        "string_features_map": {"name": "Zoë"},
    }
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")
    schema = infer_schema(path, print_reasons=False)
    expected = {"age": "dense", "country": "categorical", "face": "embedding", "likes": "id_list", "name": "string"}
    assert kinds(schema) == expected
    assert validate(path, schema).is_valid


def test_only_the_first_rows_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("count\n" + "7\n" * 50 + "seven\n")
    assert infer_schema(path, rows=50, print_reasons=False)["count"].dtype == "int64"
    assert infer_schema(path, print_reasons=False)["count"].dtype == "string"


def test_bytes_that_are_no_text_are_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"word\ncat\n\xff\xfe\n")
    assert infer_schema(path, print_reasons=False)["word"].nullable


def test_the_reasons_are_printed_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    infer_schema({"user_id": [1, 2]})
    printed = capsys.readouterr()
    assert printed.err == "user_id: int64, 2 values in 2 rows, name says id -> CATEGORICAL, ID, USER, USER_ID\n"
    assert printed.out == ""


def test_files_of_different_types_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"code": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"code": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"Files of .* differ in the type of a column: .*code.* one file"):
        infer_schema(tmp_path)


def test_no_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1 row. Received rows=0"):
        infer_schema({"user_id": [1]}, rows=0)
    with pytest.raises(ValueError, match="The dict has no rows"):
        infer_schema({"user_id": []})


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "first, later, dtype",
    [(None, 1.5, "float64?"), (1, 1.5, "float64"), ([], [7], "int64[]"), (None, "x", "string?")],
)
def test_values_beyond_the_first_rows_of_json_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Any, later: Any, dtype: str
) -> None:
    monkeypatch.setattr(json_lines, "SAMPLE_BYTES", 1000)
    for block in (5000, 1 << 20):
        monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
        rows = [{"asin": str(i), "x": first if i < 600 else later} for i in range(1000)]
        path = write_lines(tmp_path / "a.jsonl", rows)
        schema = infer_schema(path, print_reasons=False)
        assert repr(schema).splitlines()[-1].split()[2] == dtype
        assert validate(path, schema).is_valid


def test_nested_values_beyond_the_first_rows_of_json_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "SAMPLE_BYTES", 1000)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 5000)
    rows: list[Any] = [{"dense_features_map": {"age": None}}] * 300 + [{"dense_features_map": {"age": 3.5, "tall": 1}}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    schema = infer_schema(path, print_reasons=False)
    assert (schema["age"].dtype, schema["age"].nullable) == ("float64", True)
    assert validate(path, schema).is_valid


def test_a_column_of_json_without_a_value_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = infer_schema(write_lines(tmp_path / "a.jsonl", [{"asin": "A", "price": None}] * 9))
    assert schema.column_names == ["asin"]
    assert "price: null, left out: every value is missing" in capsys.readouterr().err


def test_keys_that_one_file_of_json_lacks_may_be_missing(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [{"asin": "A"}])
    write_lines(tmp_path / "b.jsonl", [{"price": 2.5, "asin": "B"}])
    schema = infer_schema(tmp_path, print_reasons=False)
    assert (schema["price"].dtype, schema["price"].nullable) == ("float64", True)
    assert validate(tmp_path, schema).is_valid


CODES = [code for code in (-1, 4, 7) for _ in range(20)]


@pytest.mark.parametrize(
    "name, values",
    [
        ("code", pa.array(CODES)),
        ("code", pa.array([*CODES, None], pa.int32())),
        ("article_id", pa.array(CODES)),
        ("code", pa.array([2**64 - 1, 5], pa.uint64())),
        ("item_id", pa.array([2**64 - 1, 5], pa.uint64())),
        ("code", pa.array([2**70, 5], pa.decimal128(38))),
        ("grades", pa.array([[1, -1], [2]])),
        ("grades", pa.array([[2**63], [2]], pa.list_(pa.uint64()))),
        ("height", pa.array([1.5, float("nan")])),
        ("born", pa.array([-1, 10], pa.date32())),
    ],
)
def test_a_guess_fits_the_values_that_it_was_made_of(name: str, values: pa.Array) -> None:
    table = pa.table({"other": range(len(values)), name: values})
    assert validate(table, infer_schema(table, print_reasons=False)).is_valid


@pytest.mark.parametrize("name", ["code", "article_id"])
def test_negative_codes_of_a_csv_are_strings(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{name},tags\n" + "".join(f"{code},1|{code}\n" for code in CODES))
    schema = infer_schema(path, print_reasons=False)
    assert [(column.dtype, str(column.kind)) for column in schema] == [("string", "categorical"), ("string", "id_list")]
    assert validate(path, schema).is_valid


PRICES = [{"id": "a", "price": 10, "tags": [], "size": 1}] * 30 + [
    {"id": "b", "price": "from 14.99", "tags": ["x", "y"], "size": 2.5}
] * 70


@pytest.mark.parametrize("block", [300, 1 << 20])
def test_a_column_of_json_that_mixes_types_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], block: int
) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    path = write_lines(tmp_path / "a.jsonl", PRICES)
    schema = infer_schema(path)
    said = capsys.readouterr().err
    assert {column.name: column.dtype for column in schema} == {
        "id": "string",
        "price": "string",
        "tags": "string",
        "size": "float64",
    }
    assert not any(column.nullable for column in schema)
    assert "30 numbers and 70 others such as 'from 14.99' -> CATEGORICAL" in said
    assert read(path, schema).to_arrow()["price"].to_pylist() == [str(row["price"]) for row in PRICES]


def test_values_of_another_type_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"x": value} for value in ([1], 3, True, [2])])
    assert infer_schema(path)["x"].is_list
    assert "; 2 missing because of another type or encoding, such as 3" in capsys.readouterr().err


def test_rows_that_can_not_be_parsed_are_told_and_not_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("city,age\nRome,3\nParis\nBerlin,4\n")
    (tmp_path / "a.jsonl").write_text('{"city": "Rome", "age": 3}\n{"city\n{"city": "Berlin", "age": 4}\n')
    for name in ("a.csv", "a.jsonl"):
        schema = infer_schema(tmp_path / name)
        said = capsys.readouterr().err.splitlines()
        assert said[0].startswith("1 of 3 rows left aside: the row can't be parsed")
        assert said[1] == "city: string, 2 values in 2 rows, short values -> CATEGORICAL"
        assert not any(column.nullable for column in schema)
    assert infer_schema(tmp_path / "a.csv", rows=1, print_reasons=True)["age"].dtype == "int64"
    assert "left aside" not in capsys.readouterr().err


def test_two_columns_of_one_name_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("7,3,3\n1,2,3\n")
    with pytest.raises(
        ValueError, match=r"a\.csv has the column '3' more than once.*no header.*CsvFormat\(column_names="
    ):
        infer_schema(tmp_path / "a.csv")
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    with pytest.raises(ValueError, match="The table has the column 'x' more than once. Rename one.$"):
        infer_schema(twice)


@pytest.mark.parametrize("block", [300, 1 << 20])
def test_lists_of_objects_with_a_field_that_is_always_null_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], block: int
) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    images = [{"a": "x", "b": None}, {"a": "y", "b": None}]
    rows = [{"item_id": i, "price": 9.5 if i else "from 12.99", "images": images[: i % 3]} for i in range(40)]
    schema = infer_schema(write_lines(tmp_path / "a.jsonl", rows))
    assert {column.name: column.dtype for column in schema} == {"item_id": "int64", "price": "string"}
    assert "images: list<" in capsys.readouterr().err
    write_lines(tmp_path / "b.jsonl", [{"item_id": 7, "price": 1, "images": [{"a": "x", "b": "z"}]}])
    assert infer_schema(tmp_path, print_reasons=False).column_names == ["item_id", "price"]


def test_files_of_other_columns_are_told_and_those_in_another_order_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix, write in {"csv": pyarrow.csv.write_csv, "parquet": pq.write_table}.items():
        folder = tmp_path / suffix
        folder.mkdir()
        write(pa.table({"user_id": [1, 2], "city": ["Rome", "Paris"]}), folder / f"a.{suffix}")
        write(pa.table({"city": ["Oslo"], "user_id": [3]}), folder / f"b.{suffix}")
        write(pa.table({"user_id": [4], "stars": [5]}), folder / f"c.{suffix}")
        schema = infer_schema(folder)
        said = capsys.readouterr().err.splitlines()
        assert schema.column_names == ["user_id", "city"]
        assert (
            said[0] == f"1 of 3 files have other columns, such as {folder}/c.{suffix}: they are left out of the guess"
        )
        assert said[1].startswith("user_id: int64, 3 values in 3 rows")
        assert said[2].startswith("city: string, 3 values in 3 rows")
        (folder / f"c.{suffix}").unlink()
        assert validate(folder, infer_schema(folder)).is_valid
        assert "files have" not in capsys.readouterr().err


def test_a_header_of_numbers_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("33,9,-1.5\n1,2,3\n")
    told = "every name in the header is a number, such as 33. If the first line is no header, name the columns: "
    infer_schema(tmp_path / "a.csv")
    assert capsys.readouterr().err.startswith(f"{told}--columns user,item, or csv=CsvFormat(column_names=[...])\n33: ")
    infer_schema(tmp_path / "a.csv", csv=CsvFormat(column_names=["1", "2", "3"]))
    infer_schema({"33": [1], "9": [2]})
    infer_schema(write_lines(tmp_path / "a.jsonl", [{"33": 1, "9": 2}]))
    (tmp_path / "a.csv").write_text("33,9,day\n1,2,3\n")
    infer_schema(tmp_path / "a.csv")
    assert "header" not in capsys.readouterr().err


@pytest.mark.parametrize("yes, no", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_bools_of_a_csv_of_which_some_are_missing_are_read_as_numbers(tmp_path: Path, yes: str, no: str) -> None:
    (tmp_path / "a.csv").write_text(f"user_id,premium\n1,{yes}\n2,\n3,{no}\n")
    schema = infer_schema(tmp_path / "a.csv", print_reasons=False)
    assert read(tmp_path / "a.csv", schema).to_arrow()["premium"].to_pylist() == [1.0, None, 0.0]
