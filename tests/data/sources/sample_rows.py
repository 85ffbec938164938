"""One small table, written in every format that `read` takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
import sqlalchemy
import tensorflow as tf

from tfdual import ColumnSchema, Schema, Tags

SCHEMA = Schema(
    [
        ColumnSchema("id", [Tags.ITEM_ID]),
        ColumnSchema("title", dtype="string"),
        ColumnSchema("likes", is_list=True),
        ColumnSchema("words", is_list=True, dtype="string"),
        ColumnSchema("vector", dims=(None, 2), dtype="float32"),
        ColumnSchema("price", dtype="float64"),
        ColumnSchema("sold", dtype="bool"),
    ]
)
ROWS: list[dict[str, Any]] = [
    {
        "id": 2**53 + 1,
        "title": 'Zürich, "Straße"\nline two',
        "likes": [2**62 + 1, 7],
        "words": ["a", "日本"],
        "vector": [0.5, -1.25],
        "price": 9.75,
        "sold": True,
    },
    {"id": 0, "title": "", "likes": [], "words": [], "vector": [0.0, 1.0], "price": -0.5, "sold": False},
    {"id": 2**63 - 1, "title": "🦜 42", "likes": [3], "words": [""], "vector": [2.0, 3.0], "price": 1e10, "sold": True},
]
TABLE = pa.Table.from_pylist(
    ROWS,
    pa.schema(
        [
            ("id", pa.int64()),
            ("title", pa.string()),
            ("likes", pa.list_(pa.int64())),
            ("words", pa.list_(pa.string())),
            ("vector", pa.list_(pa.float32(), 2)),
            ("price", pa.float64()),
            ("sold", pa.bool_()),
        ]
    ),
)


def as_text(table: pa.Table) -> pa.Table:
    """The table with its lists as JSON text, for formats that have no lists."""
    rows = [
        {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    return pa.Table.from_pylist(rows)


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=2)


def write_csv(table: pa.Table, path: Path) -> None:
    pa.csv.write_csv(as_text(table), path)


def write_json_lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist()), encoding="utf-8")


def write_ipc_file(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_ipc_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_tfrecord(table: pa.Table, path: Path) -> None:
    options = "GZIP" if path.suffix == ".gz" else None
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for row in table.to_pylist():
            writer.write(example(row).SerializeToString())


def example(row: dict[str, Any]) -> tf.train.Example:
    return tf.train.Example(features=tf.train.Features(feature={name: feature(row[name]) for name in row}))


def feature(value: Any) -> tf.train.Feature:
    """The feature that holds a value or a list, as TensorFlow's guide makes it."""
    values = value if isinstance(value, list) else [value]
    if values and isinstance(values[0], str | bytes):
        encoded = [each.encode() if isinstance(each, str) else each for each in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    if values and isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if not values:
        return tf.train.Feature()
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(each) for each in values]))


def write_sqlite(table: pa.Table, path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    text = as_text(table)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE items ({', '.join(text.column_names)})")
        marks = ", ".join("?" for _ in text.column_names)
        for row in text.to_pylist():
            connection.exec_driver_sql(f"INSERT INTO items VALUES ({marks})", tuple(row.values()))
    engine.dispose()


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".jsonl": write_json_lines,
    ".arrow": write_ipc_file,
    ".arrows": write_ipc_stream,
    ".tfrecord": write_tfrecord,
}
FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "arrow": lambda table: table,
    "pandas": lambda table: pd.DataFrame(table.to_pylist()),
    "pandas of Arrow types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "dict of lists": lambda table: table.to_pydict(),
    "dict of arrays": lambda table: {
        **table.to_pydict(),
        "id": table["id"].to_numpy(),
        "vector": np.array(table["vector"].to_pylist(), np.float32),
    },
}
