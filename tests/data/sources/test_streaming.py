"""Files larger than the memory that reading them takes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tests.data.sources.sample_rows import example

ROWS = 300_000
BLOCK_ROWS = 10_000
FILE_MIB = 280
GROWN_MIB = 200
PROGRAM = """
import resource, sys
import numpy as np
from tfdual import ColumnSchema, Schema, read
schema = Schema([ColumnSchema("id"), ColumnSchema("text", dtype="string")])
read(sys.argv[1], schema).to_arrow()
next(iter(read(sys.argv[1], schema).batch(1)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = total = 0
for table in read(sys.argv[2], schema).tables(10000):
    count, total = count + table.num_rows, total + int(table["id"].to_numpy().sum())
print(count, total, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def tables(rows: int) -> Iterator[pa.Table]:
    """Rows of an id and of a thousand letters that do not compress."""
    letters = np.frombuffer(np.random.default_rng(0).bytes(2_000_000), np.uint8) % 26 + 97
    text = letters.tobytes().decode()
    for start in range(0, rows, BLOCK_ROWS):
        ids = range(start, min(rows, start + BLOCK_ROWS))
        places = [i * 7919 % 1_999_000 for i in ids]
        yield pa.table({"id": ids, "text": [text[place : place + 1000] for place in places]})


def write_csv(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("id,text\n")
        for table in tables(rows):
            file.writelines(f"{row['id']},{row['text']}\n" for row in table.to_pylist())


def write_json_lines(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for table in tables(rows):
            file.writelines(json.dumps(row) + "\n" for row in table.to_pylist())


def write_tfrecord(path: Path, rows: int) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for table in tables(rows):
            for row in table.to_pylist():
                writer.write(example(row).SerializeToString())


def write_ipc(path: Path, rows: int) -> None:
    with pa.ipc.new_stream(path, next(tables(1)).schema) as writer:
        for table in tables(rows):
            writer.write_table(table)


def write_one_row_group(path: Path, rows: int) -> None:
    table = pa.concat_tables(tables(rows))
    pq.write_table(table, path, row_group_size=rows, compression="none", use_dictionary=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix, write",
    [
        (".csv", write_csv),
        (".jsonl", write_json_lines),
        (".tfrecord", write_tfrecord),
        (".arrows", write_ipc),
        (".parquet", write_one_row_group),
    ],
)
def test_a_file_is_streamed_in_less_memory_than_it_has_bytes(
    tmp_path: Path, suffix: str, write: Callable[[Path, int], None]
) -> None:
    small, large = tmp_path / f"small{suffix}", tmp_path / f"large{suffix}"
    write(small, 100)
    write(large, ROWS)
    assert large.stat().st_size >> 20 > FILE_MIB
    done = subprocess.run([sys.executable, "-c", PROGRAM, small, large], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, total, grown = map(int, done.stdout.split())
    assert (count, total) == (ROWS, ROWS * (ROWS - 1) // 2)
    assert grown < GROWN_MIB, f"{grown} MiB for a file of {large.stat().st_size >> 20} MiB"
