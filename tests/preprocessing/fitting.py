"""Transforms and preprocessors fitted on small tables."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import tensorflow as tf

from tfdual.preprocessing import Preprocessor, Transform
from tfdual.preprocessing.arrow_values import to_tensor
from tfdual.schema import ColumnSchema, Schema


def fitted(transform: Transform, column: ColumnSchema, *batches: Any) -> Transform:
    """The transform after these batches of `column`: arrays, or lists of Python values."""
    for batch in batches:
        transform.update(column, batch if isinstance(batch, pa.Array) else pa.array(batch))
    transform.finish()
    return transform


def plain(values: Any) -> list:
    """A tensor, dense or ragged, as nested lists."""
    return values.to_list() if isinstance(values, tf.RaggedTensor) else values.numpy().tolist()


class Stream:
    """Rows of a table, `size` at a time, as `adapt` reads them."""

    def __init__(self, table: pa.Table, schema: Schema, size: int = 2) -> None:
        self.table = table
        self.schema = schema
        self.size = size

    def tables(self) -> Iterator[pa.Table]:
        for start in range(0, len(self.table), self.size):
            yield self.table.slice(start, self.size)

    def raw(self) -> dict[str, Any]:
        """All rows as one batch of tensors."""
        return {column.name: to_tensor(column, self.table[column.name].combine_chunks()) for column in self.schema}


def in_fresh_process(script: str, *arguments: Any) -> None:
    """Run Python source in a process of its own, and fail with what it says."""
    run = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, env=os.environ
    )
    assert run.returncode == 0, run.stderr[-3000:]


class Served(tf.Module):
    """A served graph that is nothing but a preprocessor."""

    def __init__(self, prep: Preprocessor, batch: dict[str, Any]) -> None:
        super().__init__()
        self.tables = prep.tables
        specs = {name: tf.type_spec_from_value(value) for name, value in batch.items()}
        self.run = tf.function(lambda features: prep(features), input_signature=[specs])
