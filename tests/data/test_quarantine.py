"""Bad rows aside: the counts add up, the reasons can be read, and training goes on."""

import errno
import json
import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tfdual.data import Rows, read
from tfdual.data.quarantine import quarantined as put_aside
from tfdual.data.sources.memory import MemorySource
from tfdual.data.sources.source import Block, Part
from tfdual.schema import ColumnSchema, Schema, Tags

SCHEMA = Schema([ColumnSchema("id", [Tags.ID]), ColumnSchema("age", dtype="float32")])
ROWS = [(i, float(i)) for i in range(20)]
BAD = {3: "id: negative", 7: "age: null", 12: "age: infinite"}
for _row, _values in {3: (-1, 3.0), 7: (7, None), 12: (12, math.inf)}.items():
    ROWS[_row] = _values  # type: ignore[call-overload]
FORMATS = ["rows.parquet", "rows.feather", "rows.csv", "rows.jsonl", "rows.tfrecord", "rows.db", "table"]


def table() -> pa.Table:
    return pa.table({"id": [i for i, _ in ROWS], "age": pa.array([age for _, age in ROWS], pa.float64())})


def example(i: int, age: float | None) -> bytes:
    features = {"id": tf.train.Feature(int64_list=tf.train.Int64List(value=[i]))}
    if age is not None:
        features["age"] = tf.train.Feature(float_list=tf.train.FloatList(value=[age]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def written(name: str, folder: Path) -> Any:
    """The rows in the format that the name tells."""
    path = folder / name
    if name == "table":
        return table()
    if name.endswith("parquet"):
        pq.write_table(table(), path, row_group_size=6)
    elif name.endswith("feather"):
        feather.write_feather(table(), path, chunksize=6)
    elif name.endswith("csv"):
        path.write_text("id,age\n" + "".join(f"{i},{'' if age is None else age}\n" for i, age in ROWS))
    elif name.endswith("jsonl"):
        text = "".join(json.dumps({"id": i, "age": age}) + "\n" for i, age in ROWS)
        path.write_text(text.replace("Infinity", "1e999"))
    elif name.endswith("tfrecord"):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i, age in ROWS:
                writer.write(example(i, age))
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE rows (id INTEGER, age REAL)")
            connection.executemany("INSERT INTO rows VALUES (?, ?)", ROWS)
        connection.close()
        return f"sqlite:///{path}"
    return path


def quarantined(name: str, folder: Path) -> tuple[Rows, list[dict[str, Any]]]:
    if name.endswith(".db"):
        pytest.importorskip("sqlalchemy")
    query = {"query": "SELECT * FROM rows"} if name.endswith(".db") else {}
    rows = read(
        written(name, folder), SCHEMA, on_error="quarantine", quarantine=folder / "bad" / "bad.parquet", **query
    )
    return rows, pq.read_table(folder / "bad" / "bad.parquet").to_pylist()


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_is_either_read_or_put_aside_with_its_reason(tmp_path: Path, name: str) -> None:
    rows, aside = quarantined(name, tmp_path)
    assert {record["row"]: record["reasons"] for record in aside} == {row: [reason] for row, reason in BAD.items()}
    kept = [i for i in range(len(ROWS)) if i not in BAD]
    assert rows.to_arrow().to_pylist() == [{"id": i, "age": float(i)} for i in kept]
    assert len(rows) + len(aside) == len(ROWS)
    assert rows.report is not None
    assert (rows.report.rows, rows.report.bad_rows) == (len(ROWS), len(BAD))
    batches = rows.batch(4, shuffle=True, seed=1)
    assert sorted(i for batch in batches for i in batch["id"].numpy().tolist()) == kept


def test_a_row_is_kept_as_it_stood(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,age\n1,2\n-3,nan\n4\n5,x\n")
    read(tmp_path / "a.csv", SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    aside = pq.read_table(tmp_path / "bad.parquet").to_pylist()
    assert [(Path(record["file"]).name, record["row"]) for record in aside] == [
        ("a.csv", 1),
        ("a.csv", 2),
        ("a.csv", 3),
    ]
    assert [record["reasons"] for record in aside] == [["id: negative", "age: nan"], ["malformed"], ["age: dtype"]]
    assert json.loads(aside[0]["data"]) == {"id": "-3", "age": "nan"}
    assert aside[1]["data"] == "4"
    (tmp_path / "a.jsonl").write_text('{"id": 1, "age": 2}\n{"id": "x", "age": 2}\n')
    read(tmp_path / "a.jsonl", SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad-2.parquet")
    assert pq.read_table(tmp_path / "bad-2.parquet").column("data").to_pylist() == ['{"id": "x", "age": 2}']
    (tmp_path / "b.jsonl").write_bytes(b'{"id": 1, "age": 2}\n{"id": "\xff", "age": 2}\n')
    read(tmp_path / "b.jsonl", SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad-3.parquet")
    assert pq.read_table(tmp_path / "bad-3.parquet").column("data").to_pylist() == ['{"id": "\\xff", "age": 2}']


def test_the_value_of_every_bad_row_is_kept_where_the_source_could_not_represent_it(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("CREATE TABLE rows (id, age)")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", [(0, 1.0), *((f"x{i}", 1.0) for i in range(20))])
    connection.close()
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    read(url, SCHEMA, query="rows", on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    data = pq.read_table(tmp_path / "bad.parquet").column("data").to_pylist()
    assert [json.loads(each)["id"] for each in data] == [f"x{i}" for i in range(20)]
    with tf.io.TFRecordWriter(str(tmp_path / "rows.tfrecord")) as writer:
        for i in range(120):
            ids = [i] if i < 100 else [i, -i]
            feature = {
                "id": tf.train.Feature(int64_list=tf.train.Int64List(value=ids)),
                "age": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    bad = tmp_path / "bad-2.parquet"
    read(tmp_path / "rows.tfrecord", SCHEMA, on_error="quarantine", quarantine=bad)
    data = pq.read_table(bad).column("data").to_pylist()
    assert [json.loads(each)["id"] for each in data] == [[i, -i] for i in range(100, 120)]


def test_data_is_json_also_where_values_are_bytes_times_or_infinite(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("at"), ColumnSchema("name", dtype="string"), ColumnSchema("age", dtype="float32")])
    values = {"at": pa.array([10**9, 2**62 + 1], pa.timestamp("ns")), "name": [b"a", b"\xff"], "age": [1.0, math.inf]}
    rows = read(pa.table(values), schema, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert rows.take(2) == [{"at": 1, "name": "a", "age": 1.0}]
    (record,) = pq.read_table(tmp_path / "bad.parquet").to_pylist()
    assert json.loads(record["data"]) == {"at": "2116-02-20 23:53:38.427387905", "name": "\\xff", "age": "inf"}
    assert sorted(record["reasons"]) == ["age: infinite", "at: dtype", "name: utf-8"]


def test_without_bad_rows_the_file_is_there_and_empty(tmp_path: Path) -> None:
    rows = read({"id": [1], "age": [1.0]}, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert (len(rows), pq.read_table(tmp_path / "bad.parquet").num_rows) == (1, 0)


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_text("mine")
    with pytest.raises(FileExistsError, match=r"bad\.parquet is there already"):
        read(table(), SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert (tmp_path / "bad.parquet").read_text() == "mine"


class Overtaken(MemorySource):
    """Ten rows, of which every second is bad; while they are read, another process puts its bad row at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(pa.table({"id": [i if i % 2 else -1 for i in range(10)], "age": [1.0] * 10}))
        self.path = path

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        for block in super().blocks(part, wanted, 5):
            yield block
            if not self.path.exists():
                read({"id": [7, -7], "age": [1.0, 1.0]}, SCHEMA, on_error="quarantine", quarantine=self.path)


@pytest.mark.parametrize("has_links", [True, False])
def test_of_two_that_write_one_file_the_later_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "bad.parquet"
    with pytest.raises(FileExistsError, match=r"bad\.parquet is there already. Move it away"):
        put_aside(Rows(Overtaken(path), SCHEMA), path)
    assert [json.loads(data)["id"] for data in pq.read_table(path)["data"].to_pylist()] == [-7]
    assert list(tmp_path.iterdir()) == [path]


def no_links(source: Path, target: Path) -> None:
    """What Linux says on a FAT file system."""
    raise PermissionError(errno.EPERM, "Operation not permitted", str(source), None, str(target))


def test_a_pass_that_fails_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("id,age\n-1,1\n" + "2,2\n" * 10 + f'3,"{"x" * (9 << 20)}"\n')
    with pytest.raises(ValueError, match=r"a\.csv can't be read as CSV"):
        read(source, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert list(tmp_path.iterdir()) == [source]


def test_a_source_of_bad_rows_only_is_an_error_that_reports(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"All 2 rows of The dict break a rule:\n.*\n.*\nid +negative +2"):
        read({"id": [-1, -2], "age": [1.0, 1.0]}, SCHEMA, on_error="quarantine", quarantine=tmp_path / "bad.parquet")
    assert list(tmp_path.iterdir()) == []


def test_on_error_raise_names_file_row_and_column_in_a_training_pass(tmp_path: Path) -> None:
    rows = read(written("rows.csv", tmp_path), SCHEMA)
    with pytest.raises(
        ValueError, match=r"Column 'id' of .*rows\.csv, row 3: an id is negative.*Received '-1'.*quarantine"
    ):
        rows.to_arrow()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"rows\.csv, row 3: an id is negative"):
        list(rows.batch(4))
