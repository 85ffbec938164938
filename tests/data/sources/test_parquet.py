"""Parquet: partitions, and what is not read."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, Tags, infer_schema, read

IDS = Schema(["id"])
WORDS = Schema([ColumnSchema("id"), ColumnSchema("word", dtype="string")])


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """Ten row groups of a hundred rows; `id` counts, `word` is random."""
    rng = np.random.default_rng(0)
    table = pa.table({"id": range(1000), "word": [rng.bytes(8).hex() for _ in range(1000)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100, compression="none", use_dictionary=False)
    return tmp_path / "a.parquet"


def spoil(path: Path, group: int, column: int) -> None:
    """Overwrite the pages of one column of one row group."""
    place = pq.ParquetFile(path).metadata.row_group(group).column(column)
    content = bytearray(path.read_bytes())
    start = place.dictionary_page_offset or place.data_page_offset
    content[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    path.write_bytes(content)


def test_row_groups_that_the_filter_rules_out_are_not_read(grouped: Path) -> None:
    for group in range(10):
        if group != 3:
            spoil(grouped, group, 0)
    rows = read(grouped, IDS, filter=[("id", ">=", 310), ("id", "<", 313)])
    assert rows.to_arrow()["id"].to_pylist() == [310, 311, 312]
    with pytest.raises(ValueError, match=r"a\.parquet can't be read as Parquet"):
        read(grouped, IDS).to_arrow()


def test_columns_that_the_schema_does_not_name_are_not_read(grouped: Path) -> None:
    for group in range(10):
        spoil(grouped, group, 1)
    assert read(grouped, IDS).to_arrow()["id"].to_pylist() == list(range(1000))
    with pytest.raises(ValueError, match=r"a\.parquet can't be read as Parquet"):
        read(grouped, WORDS).to_arrow()


@pytest.mark.parametrize(
    "filter, expected",
    [
        ([("id", "in", [5, 999])], [5, 999]),
        ([[("id", "<", 2)], [("id", ">", 997)]], [0, 1, 998, 999]),
        (pc.field("id") * 2 == 10, [5]),
        ([("id", ">", 5000)], None),
        (pc.field("other").is_null() & (pc.field("id") < 2), "lacks"),
    ],
)
def test_filters_of_all_forms(grouped: Path, filter: Any, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="leaves no row of"):
            read(grouped, IDS, filter=filter)
    elif expected == "lacks":
        with pytest.raises(
            ValueError, match=r"The filter .* doesn't fit the columns {'id': 'int64', 'word': 'string'}: .*other"
        ):
            read(grouped, IDS, filter=filter)
    else:
        assert read(grouped, IDS, filter=filter).to_arrow()["id"].to_pylist() == expected


def test_a_filter_of_another_type_than_its_column_is_named(grouped: Path) -> None:
    with pytest.raises(ValueError, match=r"The filter .* doesn't fit the columns"):
        read(grouped, IDS, filter=[("id", ">", "ten")])


def test_a_filter_with_a_time_in_another_form_is_told_which(tmp_path: Path) -> None:
    days, schema = (
        [datetime(2018, 9, 10), datetime(2018, 9, 20)],
        Schema([ColumnSchema("t", [Tags.TIME], dtype="int64")]),
    )
    pq.write_table(pa.table({"t": days}), tmp_path / "stamps.parquet")
    pq.write_table(pa.table({"t": [1536537600, 1537401600]}), tmp_path / "seconds.parquet")
    for name, right, wrong, wanted in (
        ("stamps", datetime(2018, 9, 15), "2018-09-15", r"\[us\]'}: .*times here are datetimes"),
        ("seconds", 1536969600, "2018-09-15", "int64'}: .*times here are seconds since 1970"),
    ):
        path = tmp_path / f"{name}.parquet"
        assert len(read(path, schema, filter=[("t", ">", right)])) == 1
        with pytest.raises(ValueError, match=wanted):
            read(path, schema, filter=[("t", ">", wrong)])


def test_a_filter_may_name_a_column_that_the_schema_does_not(grouped: Path) -> None:
    word = pq.read_table(grouped)["word"][7].as_py()
    assert read(grouped, IDS, filter=[("word", "=", word)]).take(9) == [{"id": 7}]


def test_rows_where_the_filter_is_neither_true_nor_false_are_left_out(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2, 3], "x": [1, None, 3]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", IDS, filter=[("x", ">", 0)]).to_arrow()["id"].to_pylist() == [1, 3]


def partitioned(folder: Path, table: pa.Table, *keys: str) -> None:
    ds.write_dataset(table, folder, format="parquet", partitioning=keys, partitioning_flavor="hive")


def test_folders_are_columns_with_their_names_unquoted(tmp_path: Path) -> None:
    cities = ["New York", "Zürich", "a/b=c%d", "plain"]
    partitioned(
        tmp_path / "rows", pa.table({"id": range(4), "city": cities, "year": [2023, 2023, 2024, 2024]}), "year", "city"
    )
    schema = Schema([ColumnSchema("id"), ColumnSchema("city", dtype="string"), ColumnSchema("year", dtype="int32")])
    rows = read(tmp_path / "rows", schema).to_arrow().sort_by("id").to_pylist()
    assert [row["city"] for row in rows] == cities
    assert [row["year"] for row in rows] == [2023, 2023, 2024, 2024]


def test_the_folder_of_missing_values_is_null(tmp_path: Path) -> None:
    partitioned(tmp_path / "rows", pa.table({"id": [1, 2], "city": ["Rome", None]}), "city")
    schema = Schema([ColumnSchema("id"), ColumnSchema("city", dtype="string", properties={"nullable": True})])
    assert sorted(read(tmp_path / "rows", schema).take(9), key=lambda row: row["id"]) == [
        {"id": 1, "city": "Rome"},
        {"id": 2, "city": None},
    ]


def test_folders_that_the_filter_rules_out_are_not_read(tmp_path: Path) -> None:
    partitioned(tmp_path / "rows", pa.table({"id": range(6), "year": [2021, 2022, 2023] * 2}), "year")
    for path in (tmp_path / "rows").rglob("*.parquet"):
        if "2023" not in str(path):
            spoil(path, 0, 0)
    assert read(tmp_path / "rows", Schema(["id", "year"]), filter=[("year", "=", 2023)]).take(9) == [
        {"id": 2, "year": 2023},
        {"id": 5, "year": 2023},
    ]


def test_a_glob_keeps_files_and_no_columns_of_folders(tmp_path: Path) -> None:
    partitioned(tmp_path / "rows", pa.table({"id": range(4), "year": [2023, 2023, 2024, 2024]}), "year")
    assert read(f"{tmp_path}/rows/year=2024/*.parquet", IDS).to_arrow()["id"].to_pylist() == [2, 3]


def test_a_column_may_stand_in_the_file_and_in_its_folder(tmp_path: Path) -> None:
    for year in (2022, 2023):
        folder = tmp_path / "rows" / f"year={year}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [1], "year": [year]}), folder / "a.parquet")
    rows = read(tmp_path / "rows", Schema(["id", "year"]))
    assert rows.to_arrow()["year"].to_pylist() == [2022, 2023]
    assert read(tmp_path / "rows", Schema(["id", "year"]), filter=[("year", "=", 2023)]).to_arrow()[
        "year"
    ].to_pylist() == [2023]


@pytest.mark.parametrize("content", [b"", b"id,name\n1,a\n", b"PAR1 and then nothing PAR1"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_the_file_that_is_no_parquet_is_named_also_among_others(tmp_path: Path, content: bytes, name: str) -> None:
    for each in "ab":
        pq.write_table(pa.table({"id": [1]}), tmp_path / f"{each}.parquet")
    (tmp_path / f"{name}.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=rf"/{name}\.parquet.*") as caught:
        read(tmp_path, IDS)
    assert "can't be read as Parquet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_row_groups_and_files_among_others_are_passed_over(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    with pq.ParquetWriter(tmp_path / "b.parquet", pa.schema([("id", pa.int64())])) as writer:
        for ids in ([], [1, 2], [], [3]):
            writer.write_table(pa.table({"id": pa.array(ids, pa.int64())}))
    rows = read(tmp_path, IDS)
    assert rows.to_arrow()["id"].to_pylist() == [1, 2, 3]
    assert len(rows) == 3


def test_views_of_strings_are_inferred_and_filtered_as_strings(tmp_path: Path) -> None:
    words, lists = (
        pa.array(["tea", "pot", "tea"], pa.string_view()),
        pa.array([["a"], [], ["b"]], pa.list_(pa.string_view())),
    )
    pq.write_table(pa.table({"word": words, "list": lists}), tmp_path / "views.parquet", row_group_size=2)
    schema = infer_schema(tmp_path / "views.parquet", print_reasons=False)
    assert [(column.name, column.dtype, column.is_list) for column in schema] == [
        ("word", "string", False),
        ("list", "string", True),
    ]
    assert read(tmp_path / "views.parquet", schema, filter=[("word", "=", "tea")]).take(9) == [
        {"word": "tea", "list": ["a"]},
        {"word": "tea", "list": ["b"]},
    ]
    for column, value in (("other", 1), ("word", 1)):
        with pytest.raises(ValueError, match="The filter .* doesn't fit the columns"):
            read(tmp_path / "views.parquet", schema, filter=[(column, "=", value)])
