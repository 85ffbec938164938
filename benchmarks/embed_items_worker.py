"""Items and towers of the benchmark of `embed_items`, and one pass of each variant over them."""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from worker import Worker

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, MLPBlock, Schema, Tags
from tfdual.serving import ItemEmbeddings, embed_items
from tfdual.serving.item_batches import ItemBatches

USERS = Schema([ColumnSchema("user_id", [Tags.USER_ID])])
ITEMS = Schema(
    [
        ColumnSchema("item_id", [Tags.ITEM_ID]),
        ColumnSchema("category", [Tags.ITEM, Tags.CATEGORICAL]),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("brand", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("age", [Tags.ITEM], dtype="float32"),
        ColumnSchema("text", [Tags.ITEM, Tags.TEXT], dtype="string"),
        ColumnSchema("title", [Tags.ITEM], dtype="string"),
    ]
)
# What a tower reads of the items, and its layers; each categorical column and the text have vectors of 64.
TOWERS = {
    "small": (("item_id", "category", "price"), [128, 64]),
    "usual": (("item_id", "category", "price", "brand", "age", "text"), [512, 256, 64]),
}
WORDS = [f"word{number}" for number in range(5_000)]
BATCH = 4_096


def write_items(path: Path, items: int) -> None:
    """Items in random order of their ids."""
    chance = np.random.default_rng(0)
    ids = chance.permutation(items)
    words = chance.integers(0, len(WORDS), (items, 8))
    columns = {
        "item_id": ids,
        "category": chance.integers(0, 1_000, items),
        "price": chance.normal(size=items).astype(np.float32),
        "brand": [f"brand{number}" for number in chance.integers(0, 20_000, items)],
        "age": chance.normal(size=items).astype(np.float32),
        "text": [" ".join(map(WORDS.__getitem__, row)) for row in words],
        "title": [f"Item number {number}" for number in ids],
    }
    pq.write_table(pa.table(columns), path, row_group_size=131_072)


class Made:
    """Rows, a fitted preprocessor and a model of one tower, which is not trained.

    Args:
        path: folder of the items.
        tower: str.
    """

    def __init__(self, path: Path, tower: str) -> None:
        self.read, layers = TOWERS[tower]
        keras.utils.set_random_seed(0)
        self.items = tfdual.read(path / "items.parquet", ITEMS.select_by_name([*self.read, "title"]))
        users = tfdual.Preprocessor(USERS).adapt(tfdual.read({"user_id": [1, 2]}, USERS))
        self.prep = tfdual.Preprocessor(ITEMS.select_by_name(self.read)).adapt(self.items)
        ready = Schema([*users.schema, *self.prep.schema])
        options = EmbeddingOptions(embedding_dim_default=64)
        towers = tfdual.TwoTowerBlock(ready, MLPBlock(layers), embedding_options=options, post="l2-norm")
        self.model = tfdual.TwoTowerModel(towers)

    def prepared(self) -> ItemBatches:
        """Batches as `embed_items` makes them."""
        return ItemBatches(self.items, self.prep, self.read, BATCH)


def forward(made: Made, folder: Path) -> Callable[[int], None]:
    """The tower over batches that are ready in memory."""
    batches = [ready for _, ready in made.prepared().prepared(0)]
    encode = made.model.compiled_encode_item

    def once(place: int) -> None:
        for batch in batches:
            np.asarray(encode(batch))

    return once


def read(made: Made, folder: Path) -> Callable[[int], None]:
    """Rows to model-ready batches, and nothing else."""

    def once(place: int) -> None:
        for _ in made.prepared().prepared(0):
            pass

    return once


def embed(made: Made, folder: Path) -> Callable[[int], None]:
    """To a new folder each time."""
    return lambda place: embed_items(made.model, made.items, made.prep, folder / str(place), attributes=["title"])


def again(made: Made, folder: Path) -> Callable[[int], None]:
    """Over the folder of the warm-up, where nothing is missing."""
    return lambda place: embed_items(made.model, made.items, made.prep, folder / "0", attributes=["title"])


def index(made: Made, folder: Path) -> Callable[[int], None]:
    """Brute force of the folder of the warm-up."""

    def once(place: int) -> None:
        held = ItemEmbeddings(folder / "0")
        tfdual.BruteForce().build(held.blocks(), held.ids, held.space)

    return once


VARIANTS = {"forward": forward, "read": read, "embed": embed, "again": again, "index": index}


def main() -> None:
    """The variant's name is that of the tower and that of the pass."""
    worker = Worker()
    worker.versions("tfdual", "tensorflow", "pyarrow")
    tower, variant = worker.variant.split()
    once = VARIANTS[variant](Made(worker.path, tower), worker.path / tower)
    for place in range(worker.rounds):
        worker.start(place)
        busy = time.process_time()
        once(place)
        worker.finish(processor_seconds=time.process_time() - busy)


if __name__ == "__main__":
    main()
