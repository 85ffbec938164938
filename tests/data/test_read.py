"""Opening a source by what it is, and what can be wrong with it."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, read, validate

SCHEMA = Schema([ColumnSchema("id"), ColumnSchema("name", dtype="string")])


def table(*ids: int) -> pa.Table:
    return pa.table({"id": list(ids), "name": [f"n{i}" for i in ids], "other": [0.0] * len(ids)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rows"
    (folder / "deep").mkdir(parents=True)
    pq.write_table(table(1, 2), folder / "a.parquet")
    pq.write_table(table(3), folder / "b.parquet")
    pq.write_table(table(4), folder / "deep" / "c.parquet")
    (folder / "notes.txt").write_text("not rows")
    return folder


def ids(source: object, **options: Any) -> list[int]:
    return [row["id"] for row in read(source, SCHEMA, **options).take(100)]


def test_a_file_gives_its_rows_and_only_the_schemas_columns(folder: Path) -> None:
    rows = read(folder / "a.parquet", SCHEMA)
    assert rows.take(9) == [{"id": 1, "name": "n1"}, {"id": 2, "name": "n2"}]
    assert len(rows) == 2


def test_a_directory_and_globs_give_files_by_name(folder: Path) -> None:
    assert ids(folder) == ids(str(folder)) == ids(f"{folder}/") == [1, 2, 3, 4]
    assert ids(f"{folder}/*.parquet") == [1, 2, 3]
    assert ids(f"{folder}/**/*.parquet") == [1, 2, 3, 4]
    assert ids(str(folder / "[bc].parquet")) == [3]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    pq.write_table(table(7), tmp_path / "part[1].parquet")
    assert ids(tmp_path / "part[1].parquet") == [7]


def test_a_directory_of_several_formats_needs_the_format(folder: Path) -> None:
    (folder / "d.csv").write_text("id,name\n9,n9\n")
    with pytest.raises(ValueError, match=r"holds files of several formats, \['csv', 'parquet'\]. Set format to one of"):
        read(folder, SCHEMA)
    assert ids(folder, format="parquet") == [1, 2, 3, 4]
    assert ids(folder, format="csv") == [9]


@pytest.mark.parametrize("name", ["nowhere.parquet", "nowhere/", "*.nothing", "nowhere/*.csv"])
def test_a_missing_path_is_named(folder: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file, directory or glob match .*Give the path") as caught:
        read(f"{folder}/{name}", SCHEMA)
    assert name.rstrip("/") in str(caught.value)


def test_a_directory_without_files_of_the_format_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no data file \(\*\.parquet.*\*\.csv.*\*\.tfrecord"):
        read(tmp_path, SCHEMA)
    with pytest.raises(FileNotFoundError, match=r"holds no CSV file \(\*\.csv, \*\.tsv\)"):
        read(tmp_path, SCHEMA, format="csv")


def test_a_file_of_no_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(table(1).slice(1), tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=r"empty\.parquet has no rows"):
        read(tmp_path / "empty.parquet", Schema([ColumnSchema("name", dtype="string")]))
    with pytest.raises(ValueError, match="The table has no rows"):
        read(pa.table({"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())}), SCHEMA)


def test_a_column_that_one_file_of_several_lacks_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.parquet lacks the columns \['age'\].*It has \['id', 'name', 'other'\]"):
        read(folder / "a.parquet", SCHEMA + Schema(["age"]))
    pq.write_table(table(3).drop_columns(["name"]), folder / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet lacks the columns \['name'\]"):
        read(folder, SCHEMA)


def test_a_wrong_type_is_named_in_whichever_file(folder: Path) -> None:
    with pytest.raises(TypeError, match=r"Column 'name' of .*a\.parquet has the type string; the schema wants int64"):
        read(folder / "a.parquet", Schema(["id", "name"]))
    pq.write_table(pa.table({"id": ["3"], "name": ["n3"]}), folder / "b.parquet")
    with pytest.raises(TypeError, match=r"Column 'id' of .*b\.parquet has the type string"):
        read(folder, SCHEMA)


@pytest.mark.parametrize("source", [None, 7, [1, 2], object()])
def test_a_source_of_an_unknown_kind_is_refused(source: object) -> None:
    with pytest.raises(TypeError, match="takes a path, a glob, a URL, .* or a dict of arrays. Received"):
        read(source, SCHEMA)


@pytest.mark.parametrize("schema", ["schema.json", None, ["id"]])
def test_a_schema_that_is_none_is_refused_with_how_to_get_one(schema: Any) -> None:
    for use in (read, validate):
        with pytest.raises(TypeError, match=r"Schema\.load\(path\), .* Received (str|NoneType|list)"):
            use({"id": [1]}, schema)


def test_a_filter_that_is_none_or_leaves_no_row_is_refused_as_such() -> None:
    with pytest.raises(TypeError, match=r"A filter is an Arrow expression .* Received 'id > 3'"):
        read({"id": [1]}, Schema(["id"]), filter="id > 3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"The filter \(id > 3\) leaves no row of The dict"):
        read({"id": [1]}, Schema(["id"]), filter=[("id", ">", 3)])


@pytest.mark.parametrize(
    "source, options, message",
    [
        ("a.parquet", {"query": "items"}, "query='items' needs the URL of a database"),
        ({"id": [1]}, {"query": "items"}, "query='items' needs the URL of a database"),
        ({"id": [1]}, {"format": "csv"}, "format and storage_options are for files"),
        ("sqlite:///shop.db", {"query": "items", "format": "csv"}, "format and storage_options are for files"),
        ("sqlite:///shop.db", {}, "A database needs query=, a SELECT or the name of a table"),
        ("a.parquet", {"format": "xml"}, "There is no format 'xml'. Use one of parquet, csv, jsonl, arrow, tfrecord"),
        ("a.parquet", {"storage_options": {"key": "x"}}, "storage_options are for URLs such as s3://"),
        ({"id": [1]}, {"on_error": "ignore"}, 'on_error is "raise" or "quarantine". Received \'ignore\''),
        ({"id": [1]}, {"on_error": "quarantine"}, "on_error='quarantine' and quarantine=PATH go together"),
        ({"id": [1]}, {"quarantine": "bad.parquet"}, "on_error='quarantine' and quarantine=PATH go together"),
    ],
)
def test_options_that_do_not_apply_are_refused(source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(source, Schema(["id"]), **options)


def test_secrets_of_storage_options_are_in_no_message() -> None:
    with pytest.raises(ValueError, match="are for URLs") as caught:
        read("a.parquet", SCHEMA, storage_options={"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_filter_and_a_quarantine_work_together(tmp_path: Path) -> None:
    rows = [{"id": 1, "name": "a"}, {"id": "two", "name": "b"}, {"id": 3, "name": True}, {"id": 4, "name": "d"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    good = read(
        tmp_path / "a.jsonl",
        SCHEMA,
        filter=[("id", "<", 4)],
        on_error="quarantine",
        quarantine=tmp_path / "bad.parquet",
    )
    assert good.take(9) == [{"id": 1, "name": "a"}]
    assert pq.read_table(tmp_path / "bad.parquet")["row"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "left, right, dtype",
    [
        (pa.array([1], pa.int32()), pa.array([2**40]), "int64"),
        (pa.array([1.5], pa.float32()), pa.array([0.1]), "float64"),
        (pa.array([1]), pa.array([1.5]), "float64"),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"]), "string"),
        (pa.array(["a"]), pa.array(["b"]).dictionary_encode(), "string"),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode(), "string"),
        (pa.array(["a"]), pa.array(["b"], pa.large_string()), "string"),
    ],
)
def test_files_that_differ_in_a_fitting_type_are_read_as_one(
    tmp_path: Path, left: pa.Array, right: pa.Array, dtype: str
) -> None:
    pq.write_table(pa.table({"x": left}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": right}), tmp_path / "b.parquet")
    rows = read(tmp_path, Schema([ColumnSchema("x", dtype=dtype)]))
    wanted = [*left.to_pylist(), *right.to_pylist()]
    assert rows.to_arrow()["x"].to_pylist() == wanted
    assert len(rows.unique(by="x")) == len(set(wanted))
