"""Which files of a directory are rows, on this machine and in a store."""

import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, read
from tfdual.data import Rows

SCHEMA = Schema(["a"])
DATA = ("part-0.parquet", "2024/part-0.parquet", "_day=3/part-0.parquet", "year=2020/_month=1/part-0.parquet")
NO_DATA = (
    "_temporary/0/task_1/part-0.parquet",
    "2024/_temporary/part-0.parquet",
    ".ipynb_checkpoints/part-0-checkpoint.parquet",
    "year=2020/.hidden=1/part-0.parquet",
    "_SUCCESS.parquet",
)


def write(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": values}), path)


def values(rows: Rows) -> list[int]:
    return sorted(rows.to_arrow()["a"].to_pylist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder, itself below a hidden one, whose rows are 0 to 3."""
    for i, name in enumerate(DATA):
        write(tmp_path / ".cache" / "rows" / name, i)
    for name in NO_DATA:
        write(tmp_path / ".cache" / "rows" / name, 99)
    return tmp_path / ".cache" / "rows"


def test_what_lies_in_hidden_folders_is_no_row(folder: Path) -> None:
    assert values(read(folder, SCHEMA)) == [0, 1, 2, 3]


def test_what_lies_in_hidden_folders_of_a_store_is_no_row(folder: Path) -> None:
    store = fsspec.filesystem("memory")
    store.put(f"{folder}/", "/.cache/files/", recursive=True)
    assert values(read("memory://.cache/files", SCHEMA)) == [0, 1, 2, 3]
    assert values(read("memory://.cache/files/", SCHEMA)) == [0, 1, 2, 3]


def test_a_partition_whose_name_begins_with_an_underscore_is_a_column(tmp_path: Path) -> None:
    for day in (3, 4):
        write(tmp_path / f"_day={day}" / "part-0.parquet", day * 10)
    rows = read(tmp_path, Schema(["a", ColumnSchema("_day", dtype="int32")]))
    assert rows.to_arrow().to_pylist() == [{"a": 30, "_day": 3}, {"a": 40, "_day": 4}]


def test_linked_folders_are_read_and_their_names_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "rows" / "year=2020" / "p.parquet", 2020)
    write(tmp_path / "disk" / "deep" / "p.parquet", 2021)
    (tmp_path / "rows" / "year=2021").symlink_to(tmp_path / "disk")
    rows = read(tmp_path / "rows", Schema(["a", ColumnSchema("year", dtype="int32")]))
    assert rows.to_arrow().to_pylist() == [{"a": 2020, "year": 2020}, {"a": 2021, "year": 2021}]


def test_no_folder_is_read_twice_wherever_links_lead(tmp_path: Path) -> None:
    write(tmp_path / "beside.parquet", 99)
    write(tmp_path / "rows" / "year=2020" / "p.parquet", 2020)
    write(tmp_path / "disk" / "p.parquet", 2021)
    for link, target in {
        "a-latest": tmp_path / "rows" / "year=2020",
        "itself": tmp_path / "rows",
        "above": tmp_path,
        "year=2021": tmp_path / "disk",
        "year=2022": tmp_path / "disk",
    }.items():
        (tmp_path / "rows" / link).symlink_to(target)
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "rows")
    rows = read(tmp_path / "rows", Schema(["a", ColumnSchema("year", dtype="int32")]))
    assert rows.to_arrow().to_pylist() == [{"a": 2020, "year": 2020}, {"a": 2021, "year": 2021}]


def test_links_to_files_are_read_and_broken_ones_are_not(tmp_path: Path) -> None:
    write(tmp_path / "disk.parquet", 7)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.parquet").symlink_to(tmp_path / "disk.parquet")
    (tmp_path / "rows" / "b.parquet").symlink_to(tmp_path / "nothing.parquet")
    assert values(read(tmp_path / "rows", SCHEMA)) == [7]


def test_the_directory_of_work_is_one_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "year=2020" / "p.parquet", 5)
    monkeypatch.chdir(tmp_path)
    assert values(read(os.curdir, SCHEMA)) == [5]


@pytest.mark.parametrize("format", [None, "parquet"])
def test_a_delta_table_is_refused_since_its_files_hold_deleted_rows(tmp_path: Path, format: str | None) -> None:
    write(tmp_path / "lake" / "part-0.parquet", 1, 2)
    (tmp_path / "lake" / "_delta_log").mkdir()
    (tmp_path / "lake" / "_delta_log" / "00000000000000000000.json").write_text('{"commitInfo":{}}\n')
    fsspec.filesystem("memory").put(f"{tmp_path}/lake/", "/lake/", recursive=True)
    for source in (str(tmp_path / "lake"), "memory://lake"):
        with pytest.raises(ValueError, match=r"lake is a Delta table.*rows that were deleted.*package deltalake"):
            read(source, SCHEMA, format=format)


def test_a_folder_above_delta_tables_or_a_file_of_one_is_not_refused(tmp_path: Path) -> None:
    write(tmp_path / "lake" / "part-0.parquet", 1, 2)
    (tmp_path / "lake" / "_delta_log").mkdir()
    assert values(read(tmp_path, SCHEMA)) == values(read(tmp_path / "lake" / "*.parquet", SCHEMA)) == [1, 2]
