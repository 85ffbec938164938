"""One map of features a kind, as nested JSON objects, Arrow structs and Arrow maps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual import ColumnSchema, Schema, Tags, read, validate

NULLABLE = {"nullable": True}
SCHEMA = Schema(
    [
        ColumnSchema("age", dtype="float32"),
        ColumnSchema("country", [Tags.CATEGORICAL]),
        ColumnSchema("face", dims=(None, 2), dtype="float32"),
        ColumnSchema("likes", is_list=True),
        ColumnSchema("name", dtype="string"),
        ColumnSchema("day"),
    ]
)
NESTED: list[dict[str, Any]] = [
    {
        "dense_features_map": {"age": 31.5, "height": 1.8},
        "category_id_features_map": {"country": 2**53 + 1},
        "embedding_features_map": {"face": [0.5, 1.0]},
        "id_list_features_map": {"likes": [2**62 + 1, 3]},
        "string_features_map": {"name": "Zoë"},
        "day": 1,
    },
    {
        "dense_features_map": {"height": 1.6, "age": 7.0},
        "category_id_features_map": {"country": 0},
        "embedding_features_map": {"face": [2.0, 3.0]},
        "id_list_features_map": {"likes": []},
        "string_features_map": {"name": ""},
        "day": 2,
    },
]
FLAT = [
    {"age": 31.5, "country": 2**53 + 1, "face": [0.5, 1.0], "likes": [2**62 + 1, 3], "name": "Zoë", "day": 1},
    {"age": 7.0, "country": 0, "face": [2.0, 3.0], "likes": [], "name": "", "day": 2},
]
VALUES = {
    "dense_features_map": pa.float64(),
    "category_id_features_map": pa.int64(),
    "embedding_features_map": pa.list_(pa.float32()),
    "id_list_features_map": pa.list_(pa.int64()),
    "string_features_map": pa.string(),
}


def as_json(rows: list[dict[str, Any]], folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_maps(rows: list[dict[str, Any]], folder: Path, group: int = 1) -> Path:
    columns = {
        name: pa.array([entries(row.get(name)) for row in rows], pa.map_(pa.string(), VALUES[name])) for name in VALUES
    }
    pq.write_table(
        pa.table({**columns, "day": [row["day"] for row in rows]}), folder / "rows.parquet", row_group_size=group
    )
    return folder / "rows.parquet"


def as_structs(rows: list[dict[str, Any]], folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def entries(found: Any) -> Any:
    return list(found.items()) if isinstance(found, dict) else found


WRITERS: list[Callable[[list[dict[str, Any]], Path], Path]] = [as_json, as_maps, as_structs]


def changed(row: int, feature_map: str, **features: Any) -> list[dict[str, Any]]:
    """The rows with features of one map set, or taken out where they are given as None."""
    rows = json.loads(json.dumps(NESTED))
    rows[row][feature_map] = {k: v for k, v in {**rows[row][feature_map], **features}.items() if v is not None}
    return rows


def faults(path: Path, schema: Schema = SCHEMA) -> dict[tuple[str, str], list[int | None]]:
    return {(each.column, each.rule): [row for _, row, _ in each.first] for each in validate(path, schema).findings}


@pytest.mark.parametrize("write", WRITERS)
def test_the_five_maps_and_columns_beside_them_are_columns(tmp_path: Path, write: Any) -> None:
    rows = read(write(NESTED, tmp_path), SCHEMA)
    assert rows.to_arrow().to_pylist() == FLAT
    assert len(rows) == 2
    assert [row["age"] for row in rows.shard(1, 2).take(9)] == [7.0]


@pytest.mark.parametrize("write", WRITERS)
def test_a_schema_of_one_map_leaves_the_others(tmp_path: Path, write: Any) -> None:
    assert read(write(NESTED, tmp_path), Schema([SCHEMA["name"]])).take(9) == [{"name": "Zoë"}, {"name": ""}]


@pytest.mark.parametrize("write", WRITERS)
def test_a_feature_that_a_row_lacks_is_null(tmp_path: Path, write: Any) -> None:
    path = write(changed(1, "dense_features_map", age=None), tmp_path)
    assert faults(path) == {("age", "null"): [1]}
    nullable = Schema([ColumnSchema("age", dtype="float32", properties=NULLABLE)])
    assert read(path, nullable).take(9) == [{"age": 31.5}, {"age": None}]


@pytest.mark.parametrize("write", WRITERS)
def test_a_whole_map_that_a_row_lacks_is_null(tmp_path: Path, write: Any) -> None:
    rows = json.loads(json.dumps(NESTED))
    rows[1]["id_list_features_map"] = None
    path = write(rows, tmp_path)
    assert faults(path) == {("likes", "null"): [1]}
    nullable = Schema([ColumnSchema("likes", is_list=True, properties=NULLABLE)])
    assert read(path, nullable).take(9) == [{"likes": [2**62 + 1, 3]}, {"likes": []}]


def test_a_feature_that_stands_twice_in_one_map_is_named(tmp_path: Path) -> None:
    path = as_json(NESTED, tmp_path)
    path.write_text(path.read_text().replace('"age": 7.0', '"age": 7.0, "age": 8.0'))
    assert faults(path) == {("age", "duplicate feature"): [1]}
    doubled = json.loads(json.dumps(NESTED))
    doubled[1]["dense_features_map"] = [("age", 7.0), ("age", 8.0)]
    assert faults(as_maps(doubled, tmp_path)) == {("age", "duplicate feature"): [1]}


@pytest.mark.parametrize("write", WRITERS)
def test_a_feature_that_stands_in_two_maps_is_named(tmp_path: Path, write: Any) -> None:
    path = write(changed(1, "category_id_features_map", age=7), tmp_path)
    assert faults(path) == {("age", "duplicate feature"): [1]}


@pytest.mark.parametrize("write", [as_json, as_structs])
@pytest.mark.parametrize("feature_map", ["id_list_features_map", "embedding_features_map"])
def test_weights_stand_beside_their_list_or_among_the_vectors(tmp_path: Path, write: Any, feature_map: str) -> None:
    schema = Schema(
        [
            ColumnSchema("likes", is_list=True, properties={"weights": "shares"}),
            ColumnSchema("shares", [Tags.WEIGHT], dtype="float32", is_list=True),
        ]
    )
    row: dict[str, Any] = {"id_list_features_map": {"likes": [7, 8]}, "day": 1}
    row[feature_map] = {**row.get(feature_map, {}), "shares": [0.5, 0.25]}
    assert read(write([row], tmp_path), schema).take(1) == [{"likes": [7, 8], "shares": [0.5, 0.25]}]


@pytest.mark.parametrize("write", [as_json, as_structs])
def test_a_feature_in_the_wrong_map_alone_is_missing_at_the_door(tmp_path: Path, write: Any) -> None:
    rows = [{**row, "dense_features_map": {"x": 1.0}, "category_id_features_map": {"age": 7}} for row in NESTED]
    with pytest.raises(ValueError, match=r"lacks the columns \['age'\]"):
        read(write(rows, tmp_path), Schema([SCHEMA["age"]]))


def test_a_feature_in_the_wrong_arrow_map_is_null(tmp_path: Path) -> None:
    rows = [{**row, "dense_features_map": {"x": 1.0}, "category_id_features_map": {"age": 7}} for row in NESTED]
    assert faults(as_maps(rows, tmp_path), Schema([SCHEMA["age"]])) == {("age", "null"): [0, 1]}


def test_a_feature_whose_map_is_not_there_is_missing(tmp_path: Path) -> None:
    rows = [{"dense_features_map": {"age": 1.0}, "day": 1}]
    with pytest.raises(ValueError, match=r"lacks the columns \['country', 'face', 'likes', 'name'\]"):
        read(as_json(rows, tmp_path), SCHEMA)


@pytest.mark.parametrize("wrong, rule", [("seven", "dtype"), ([1.0], "dtype"), ({"x": 1}, "dtype")])
def test_a_value_of_another_type_is_named_with_its_feature(tmp_path: Path, wrong: Any, rule: str) -> None:
    assert faults(as_json(changed(1, "dense_features_map", age=wrong), tmp_path)) == {("age", rule): [1]}


def test_a_map_that_is_no_object_is_named(tmp_path: Path) -> None:
    rows = json.loads(json.dumps(NESTED))
    rows[1]["dense_features_map"] = 5
    assert ("dense_features_map", "dtype") in faults(as_json(rows, tmp_path))


def test_numbers_as_feature_ids_are_found_by_their_text(tmp_path: Path) -> None:
    table = pa.table(
        {"dense_features_map": pa.array([[(7, 0.5)], [(7, 1.5), (8, 2.0)]], pa.map_(pa.int64(), pa.float64()))}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", Schema([ColumnSchema("7", dtype="float32")])).take(9) == [
        {"7": 0.5},
        {"7": 1.5},
    ]


def test_maps_of_a_frame_and_of_a_slice_are_their_own_rows() -> None:
    kind = pa.map_(pa.string(), pa.float64())
    table = pa.table({"dense_features_map": pa.array([[("age", float(i))] for i in range(6)], kind)})
    schema = Schema([SCHEMA["age"]])
    assert [row["age"] for row in read(table.slice(2, 3), schema).take(9)] == [2.0, 3.0, 4.0]


@pytest.mark.slow
@pytest.mark.parametrize("write", [as_json, as_maps])
def test_thousands_of_features_are_columns(tmp_path: Path, write: Any) -> None:
    names = [f"f{i}" for i in range(4_000)]
    rows = [{"dense_features_map": {name: i + 0.5 for i, name in enumerate(names)}, "day": 1}] * 3
    path = as_json(rows, tmp_path) if write is as_json else as_maps(rows, tmp_path, group=50)
    table = read(path, Schema([ColumnSchema(name, dtype="float32") for name in names])).to_arrow()
    assert [table.column(name)[2].as_py() for name in names] == [i + 0.5 for i in range(4_000)]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("column, most", [("age", 10), ("day", 1)])
def test_a_filter_keeps_the_rows_that_fit(tmp_path: Path, write: Any, column: str, most: int) -> None:
    rows = read(write(NESTED, tmp_path), SCHEMA, filter=[(column, "<=", most)])
    assert rows.take(9) == [row for row in FLAT if row[column] <= most]
    assert len(rows) == 1
