"""A program that embeds items, to be killed: it says after each batch how many rows it has embedded.

`run`: 200,000 items in parts of four batches. `slow`: the same, with a rest after each batch. `full`: three parts, the
last of which is too large for the disk.
"""

import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.serving import embed_items

SCHEMA = Schema(
    [
        ColumnSchema("item", [Tags.ITEM_ID]),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string"),
    ]
)
ROWS, PART = 200_000, 4 * 4_096


def main() -> None:
    how, folder = sys.argv[1], Path(sys.argv[2])
    rows = 3 * PART if how == "full" else ROWS
    titles = [f"Title {row}" + "x" * (2_000 if how == "full" and row >= 2 * PART else 0) for row in range(rows)]
    price = np.random.default_rng(0).normal(size=rows).astype(np.float32)
    items = tfdual.read(pa.table({"item": np.arange(rows) + 2**53, "price": price, "title": titles}), SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(items)
    weight = tf.constant(np.random.default_rng(1).normal(size=(1, 32)), tf.float32)
    tower = tf.function(lambda ready: tf.sin(ready["price"][:, None] * weight), reduce_retracing=True)

    def encode(ready: dict[str, tf.Tensor]) -> tf.Tensor:
        given = tower(ready)
        if how != "full":
            print(len(given), flush=True)
        time.sleep(0.01 if how == "slow" else 0)
        return given

    model = SimpleNamespace(
        item_id="item", item_columns=["price"], embedding_space=lambda prep: "one", compiled_encode_item=encode
    )
    if how == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))
    try:
        embed_items(model, items, prep, folder, attributes=["title"], shard_rows=PART)
    except OSError as error:
        print(type(error).__name__)


if __name__ == "__main__":
    main()
