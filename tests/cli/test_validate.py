"""`tfdual validate`: on real files with planted faults, as a person runs it."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tfdual.schema import ColumnSchema, Schema, Tags

USER = ColumnSchema("user_id", [Tags.USER_ID], {"domain": {"max": 610}})
ITEM = ColumnSchema("item_id", [Tags.ITEM_ID], {"domain": {"max": 193_609}}, dtype="int32")
RATING = ColumnSchema("rating", dtype="float32")
TIME = ColumnSchema("timestamp")
RATINGS = Schema([USER, ITEM, RATING, TIME])
ITEMS = Schema(
    [
        ITEM,
        ColumnSchema("title", [Tags.TEXT], dtype="string"),
        ColumnSchema("genres", dtype="string", is_list=True, properties={"value_count": {"max": 10}}),
        ColumnSchema("vector", [Tags.EMBEDDING], dtype="float32", dims=(None, 4)),
    ]
)
MAPS = Schema([USER, ITEM.with_tags([Tags.CATEGORICAL]), RATING])
Found = dict[tuple[str, str], list[tuple[str, int | None]]]
Rows = list[dict[str, Any]]


def tfdual(*words: str | Path) -> tuple[int, str, str]:
    """The real command, in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "tfdual", *map(str, words)], capture_output=True, text=True, check=False
    )
    return finished.returncode, finished.stdout, finished.stderr


def plant_in_csv(table: pa.Table, folder: Path) -> Found:
    """Ratings as CSV, about 2.5 MB."""
    pyarrow.csv.write_csv(table, folder / "ratings.csv")
    lines = (folder / "ratings.csv").read_bytes().splitlines()
    planted = {
        ("rating", "null"): (10, b"1,3,,964981247"),
        ("rating", "nan"): (11, b"1,3,nan,964981247"),
        ("rating", "infinite"): (12, b"1,3,-inf,964981247"),
        ("user_id", "negative"): (5_000, b"-1,3,4,964981247"),
        ("user_id", "domain"): (50_000, b"611,3,4,964981247"),
        ("item_id", "overflow"): (70_000, b"1,2147483648,4,964981247"),
        ("timestamp", "dtype"): (90_000, b"1,3,4,yesterday"),
        ("", "malformed"): (100_000, b"1,3,4"),
        ("rating", "dtype"): (table.num_rows - 1, b"1,3,four,964981247"),
    }
    for row, line in planted.values():
        lines[row + 1] = line
    (folder / "ratings.csv").write_bytes(b"\n".join(lines))
    return {key: [("ratings.csv", row)] for key, (row, _) in planted.items()}


def plant_in_two_parquet_files(table: pa.Table, folder: Path) -> Found:
    """Ratings in two files of several row groups."""
    half = table.num_rows // 2
    for i, name in enumerate(("a.parquet", "b.parquet")):
        rating = table.column("rating").slice(i * half, half).to_numpy().copy()
        user = table.column("user_id").slice(i * half, half).to_numpy().copy()
        rating[40_000] = [math.nan, math.inf][i]
        user[100] = [-7, 9_999][i]
        part = table.slice(i * half, half).set_column(0, "user_id", pa.array(user))
        pq.write_table(part.set_column(2, "rating", pa.array(rating)), folder / name, row_group_size=7_000)
    return {
        ("rating", "nan"): [("a.parquet", 40_000)],
        ("rating", "infinite"): [("b.parquet", 40_000)],
        ("user_id", "negative"): [("a.parquet", 100)],
        ("user_id", "domain"): [("b.parquet", 100)],
    }


def plant_in_items(table: pa.Table, folder: Path) -> Found:
    """Items with a small embedding."""
    rows: Rows = table.select(["item_id", "title", "genres"]).to_pylist()
    for row in rows:
        row["title"] = row["title"].encode()
        row["vector"] = [float(row["item_id"]), 0.0, 1.0, 2.0]
    rows[5]["title"] = b"Am\xe9lie"
    rows[6]["title"] = None
    rows[7]["genres"] = ["Drama"] * 11
    rows[8]["genres"] = ["Drama", None]
    rows[9]["vector"] = [1.0, 2.0, 3.0]
    rows[9_000]["vector"] = [1.0, 2.0, 3.0, math.inf]
    types = {
        "item_id": pa.int32(),
        "title": pa.binary(),
        "genres": pa.list_(pa.string()),
        "vector": pa.list_(pa.float32()),
    }
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(types)), folder / "items.parquet", row_group_size=1_000)
    places = {("title", "utf-8"): 5, ("title", "null"): 6, ("genres", "length"): 7, ("genres", "null"): 8}
    places |= {("vector", "width"): 9, ("vector", "infinite"): 9_000}
    return {key: [("items.parquet", row)] for key, row in places.items()}


def plant_in_feature_maps(table: pa.Table, folder: Path) -> Found:
    """Ratings as JSON lines, the features in a map for each kind."""
    line = '{{"category_id_features_map": {{"user_id": {}, "item_id": {}}}, "dense_features_map": {{"rating": {}}}}}'
    columns = (table.column(name).to_pylist() for name in ("user_id", "item_id", "rating"))
    lines = [line.format(*values) for values in zip(*columns, strict=True)]
    lines[1_000] = line.format('1, "user_id": 2', 3, 4.0)
    lines[2_000] = line.format(1, '"3"', 4.0)
    lines[3_000] = line.format(1, 3, '"high"')
    lines[60_000] = line.format(1, 3, "null")
    lines[99_000] = lines[99_000][:-5]
    (folder / "maps.jsonl").write_text("\n".join(lines) + "\n")
    places = {("user_id", "duplicate feature"): 1_000, ("item_id", "dtype"): 2_000, ("rating", "dtype"): 3_000}
    places |= {("rating", "null"): 60_000, ("", "malformed"): 99_000}
    return {key: [("maps.jsonl", row)] for key, row in places.items()}


def plant_columns(table: pa.Table, folder: Path) -> Found:
    """A file that lacks one column and holds another twice."""
    names = ["user_id", "item_id", "rating", "rating"]
    arrays = [table.column(name) for name in ["user_id", "item_id", "rating", "timestamp"]]
    pq.write_table(pa.Table.from_arrays(arrays, names), folder / "columns.parquet")
    return {
        ("rating", "duplicate column"): [("columns.parquet", None)],
        ("timestamp", "missing column"): [("columns.parquet", None)],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "plant, file, schema",
    [
        (plant_in_csv, "interactions", RATINGS),
        (plant_in_two_parquet_files, "interactions", RATINGS),
        (plant_in_items, "items", ITEMS),
        (plant_in_feature_maps, "interactions", MAPS),
        (plant_columns, "interactions", RATINGS),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_fault_planted_in_movielens_is_found_and_nothing_else(
    real_data: Callable[[str], Path], tmp_path: Path, plant: Callable, file: str, schema: Schema
) -> None:
    table = pq.read_table(real_data("movielens-latest-small") / f"{file}.parquet")
    (tmp_path / "data").mkdir()
    planted = plant(table, tmp_path / "data")
    schema.save(tmp_path / "schema.json")
    code, out, err = tfdual("validate", tmp_path / "data", "--schema", tmp_path / "schema.json", "--json")
    assert code == 1, err
    report = json.loads(out)
    found = {
        (each["column"], each["rule"]): [(Path(first["file"]).name, first["row"]) for first in each["first"]]
        for each in report["findings"]
    }
    assert found == planted
    whole = [key for key, places in planted.items() if places[0][1] is None]
    assert report["rows"] == table.num_rows
    assert report["bad_rows"] == (table.num_rows if whole else len({place for [place] in planted.values()}))


@pytest.fixture
def ratings(tmp_path: Path) -> tuple[Path, Path]:
    """Four rows, of which two are bad, and their schema."""
    (tmp_path / "r.csv").write_text("user_id,item_id,rating,timestamp\n1,1,4,5\n-1,2,x,5\n1,3,inf,5\n2,1,4,5\n")
    RATINGS.save(tmp_path / "schema.json")
    return tmp_path / "r.csv", tmp_path / "schema.json"


def test_valid_rows_end_with_0(run_tfdual, ratings: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("user_id,item_id,rating,timestamp\n1,1,4,5\n")
    finished = run_tfdual("validate", tmp_path / "good.csv", "--schema", ratings[1])
    assert (finished.code, finished.out) == (0, "1 rows, 0 of them break a rule.\n")


def test_a_pipe_gets_whole_lines_of_column_rule_rows_place_and_value(run_tfdual, ratings: tuple[Path, Path]) -> None:
    source, schema = ratings
    finished = run_tfdual("validate", source, "--schema", schema)
    assert finished.code == 1
    head, titles, *lines = finished.out.splitlines()
    assert head == "4 rows, 2 of them break a rule."
    assert titles.split()[:3] == ["column", "rule", "rows"]
    assert [line.split()[:5] for line in lines] == [
        ["rating", "dtype", "1", f"{source}:1", "'x'"],
        ["rating", "infinite", "1", f"{source}:2", "'inf'"],
        ["user_id", "negative", "1", f"{source}:1", "'-1'"],
    ]


def test_a_terminal_gets_a_table(run_tfdual, ratings: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    finished = run_tfdual("validate", ratings[0], "--schema", ratings[1])
    assert finished.code == 1
    assert "┃" in finished.out
    assert f"{ratings[0].name}:1" in finished.out
    assert "4 rows checked" in finished.err


def test_json_is_all_that_stdout_gets(run_tfdual, ratings: tuple[Path, Path]) -> None:
    finished = run_tfdual("validate", ratings[0], "--schema", ratings[1], "--json")
    assert finished.code == 1
    report = json.loads(finished.out)
    assert (report["is_valid"], report["rows"], report["bad_rows"]) == (False, 4, 2)


def test_a_quarantine_file_gets_the_bad_rows(run_tfdual, ratings: tuple[Path, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    assert run_tfdual("validate", ratings[0], "--schema", ratings[1], "--quarantine", bad).code == 1
    assert pq.read_table(bad).column("row").to_pylist() == [1, 2]
    finished = run_tfdual("validate", ratings[0], "--schema", ratings[1], "--quarantine", bad)
    assert (finished.code, finished.out) == (2, "")
    assert "is there already" in finished.err


def test_without_a_good_row_no_quarantine_is_written(run_tfdual, ratings: tuple[Path, Path], tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": np.arange(3)}), tmp_path / "r.parquet")
    bad = tmp_path / "bad.parquet"
    finished = run_tfdual("validate", tmp_path / "r.parquet", "--schema", ratings[1], "--quarantine", bad)
    assert finished.code == 1
    assert "bad.parquet is not written" in finished.err
    assert not bad.exists()


def test_a_quarantine_reads_the_file_as_it_is_written(run_tfdual, tmp_path: Path) -> None:
    Schema([USER, RATING]).save(tmp_path / "schema.json")
    (tmp_path / "u.data").write_text("1|4.5\n2|bad\n")
    words = ("validate", tmp_path / "u.data", "--schema", tmp_path / "schema.json", "--columns", "user_id,rating")
    assert run_tfdual(*words, "--quarantine", tmp_path / "bad.parquet").code == 1
    assert pq.read_table(tmp_path / "bad.parquet").column("row").to_pylist() == [1]


@pytest.mark.parametrize(
    "words, part",
    [
        (["nowhere.csv", "--schema", "schema.json"], "no file, directory or glob match nowhere.csv"),
        (["r.csv", "--schema", "nothing.json"], "no schema file nothing.json"),
        (["r.csv", "--schema", "schema.json", "--format", "excel"], "no format 'excel'"),
        (["r.csv", "--schema", "schema.json", "--query", "SELECT 1"], "needs the URL of a database"),
        (["r.csv"], "--schema"),
    ],
)
def test_a_usage_error_ends_with_2(
    run_tfdual, ratings: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, words: list[str], part: str
) -> None:
    monkeypatch.chdir(ratings[0].parent)
    finished = run_tfdual("validate", *words)
    assert (finished.code, finished.out) == (2, "")
    assert part in finished.err
    assert "Traceback" not in finished.err
