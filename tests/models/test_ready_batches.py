"""Batches for an encoder: raw rows are read once where they may be kept."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Preprocessor, Schema, Tags
from tfdual.models.ready_batches import ReadyBatches

SCHEMA = Schema([ColumnSchema("item_id", [Tags.ITEM_ID], dtype="string")])
NAMES = ["b", "a", "b", "c"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": NAMES}), path)
    return path


def batches(file: Path, keep: int) -> ReadyBatches:
    rows = tfdual.read(file, SCHEMA)
    return ReadyBatches(rows, Preprocessor(SCHEMA).adapt(rows), keep)


def ids(pairs: ReadyBatches) -> list[int]:
    return [one for _, ready in pairs for one in ready["item_id"].numpy().tolist()]


def test_rows_that_may_be_kept_are_read_once(file: Path) -> None:
    pairs = batches(file, keep=1 << 20)
    first = ids(pairs)
    file.unlink()
    assert ids(pairs) == first == [1, 2, 1, 3]
    assert [batch["item_id"].numpy().tolist() for batch, _ in pairs] == [[name.encode() for name in NAMES]]


@pytest.mark.parametrize("keep", [0, 40])
def test_rows_that_are_too_large_to_keep_are_read_again(file: Path, keep: int) -> None:
    pairs = batches(file, keep)
    first = ids(pairs)
    file.unlink()
    with pytest.raises((OSError, tf.errors.OpError)):
        ids(pairs)
    assert first == [1, 2, 1, 3]


def test_a_pass_that_is_broken_off_keeps_nothing_half(file: Path) -> None:
    pairs = batches(file, keep=1 << 20)
    next(iter(pairs))
    assert ids(pairs) == [1, 2, 1, 3]


def test_a_dataset_is_asked_each_time() -> None:
    """It may give other rows: the user has chosen whether it is cached."""
    passes = []

    def read() -> list[dict[str, np.ndarray]]:
        passes.append(1)
        return [{"item_id": np.array([len(passes)], "int64")}]

    dataset = tf.data.Dataset.from_generator(read, output_signature={"item_id": tf.TensorSpec([None], tf.int64)})
    pairs = ReadyBatches(dataset, keep=1 << 20)
    assert (ids(pairs), ids(pairs)) == ([1], [2])
