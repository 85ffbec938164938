"""Opening Parquet by what the path is, and what can be wrong with it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, read

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


def ids(source: object) -> list[int]:
    return [row["id"] for row in read(source, SCHEMA).take(100)]


def test_a_file_gives_its_rows_and_only_the_schemas_columns(folder: Path) -> None:
    rows = read(folder / "a.parquet", SCHEMA)
    assert rows.take(9) == [{"id": 1, "name": "n1"}, {"id": 2, "name": "n2"}]
    assert len(rows) == 2


def test_a_directory_gives_all_parquet_files_below_it_by_name(folder: Path) -> None:
    assert ids(folder) == [1, 2, 3, 4]


def test_a_glob_gives_what_it_matches(folder: Path) -> None:
    assert ids(f"{folder}/*.parquet") == [1, 2, 3]
    assert ids(f"{folder}/**/*.parquet") == [1, 2, 3, 4]
    assert ids(str(folder / "[bc].parquet")) == [3]


def test_an_arrow_table_is_a_source() -> None:
    assert ids(table(7, 8)) == [7, 8]


@pytest.mark.parametrize("name", ["nowhere.parquet", "nowhere/", "*.nothing"])
def test_a_missing_path_is_named(folder: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file, directory or glob match .*Give the path"):
        read(f"{folder}/{name}", SCHEMA)


def test_a_directory_without_parquet_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no \*\.parquet file"):
        read(tmp_path, SCHEMA)


def test_a_file_of_no_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(table(1).slice(1), tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=r"empty\.parquet has no rows"):
        read(tmp_path / "empty.parquet", Schema([ColumnSchema("name", dtype="string")]))
    with pytest.raises(ValueError, match="The table has no rows"):
        read(pa.table({"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())}), SCHEMA)


@pytest.mark.parametrize("content", [b"", b"id,name\n1,a\n", b"PAR1 and then nothing PAR1"])
def test_what_is_not_parquet_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"rows\.parquet can't be read as Parquet: .+") as caught:
        read(path, SCHEMA)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_among_good_ones_is_an_error_at_the_door(folder: Path) -> None:
    content = (folder / "a.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="can't be read as Parquet: .+"):
        read(folder, SCHEMA)


def test_a_column_that_the_file_lacks_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.parquet lacks the columns \['age'\].*It has \['id', 'name', 'other'\]"):
        read(folder / "a.parquet", SCHEMA + Schema(["age"]))


def test_a_column_that_one_file_of_several_lacks_is_named(folder: Path) -> None:
    pq.write_table(table(3).drop_columns(["name"]), folder / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet lacks the columns \['name'\]"):
        read(folder, SCHEMA)


def test_a_wrong_type_is_named_in_whichever_file(folder: Path) -> None:
    with pytest.raises(TypeError, match=r"Column 'name' of .*a\.parquet has the type string; the schema wants int64"):
        read(folder / "a.parquet", Schema(["id", "name"]))
    pq.write_table(pa.table({"id": ["3"], "name": ["n3"]}), folder / "b.parquet")
    with pytest.raises(TypeError, match=r"Column 'id' of .*b\.parquet has the type string"):
        read(folder, SCHEMA)


@pytest.mark.parametrize("source", [None, 7, [1, 2], {"id": [1]}])
def test_a_source_of_an_unknown_kind_is_refused(source: object) -> None:
    with pytest.raises(TypeError, match="takes a path, a glob or an Arrow table. Received"):
        read(source, SCHEMA)


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
    wanted = [x.encode() if isinstance(x, str) else x for x in [*left.to_pylist(), *right.to_pylist()]]
    assert [x for part in rows.arrays() for x in part["x"].tolist()] == wanted
    assert sorted(x for batch in rows.batch(9, shuffle=True) for x in batch["x"].numpy().tolist()) == sorted(wanted)
    assert len(rows.unique(by="x")) == len(set(wanted))
