"""Items through the item tower to a folder and to an index, beside the bare forward of the tower over the same batches.

The tower: an id table of 64, a category of 1,000 values and a price, MLP 128-64. Each variant is a process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, MLPBlock, Schema, Tags
from tfdual.serving import embed_items

SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID]),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
        ColumnSchema("category", [Tags.ITEM, Tags.CATEGORICAL]),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("title", [Tags.ITEM], dtype="string"),
    ]
)
READ = ("item_id", "category", "price")
BATCH = 4_096
VARIANTS = {
    "forward": "bare forward",
    "embed": "embed_items",
    "resume": "complete: read against the items",
    "index": "BruteForce",
}


def write_items(path: Path, items: int) -> None:
    """Items in random order of their ids."""
    chance = np.random.default_rng(0)
    ids = chance.permutation(items)
    columns = {
        "item_id": ids,
        "category": chance.integers(0, 1_000, items),
        "price": chance.normal(size=items).astype(np.float32),
        "title": [f"Item number {number}" for number in ids],
    }
    pq.write_table(pa.table(columns), path, row_group_size=131_072)


def worker(variant: str, path: Path, folder: Path) -> dict:
    """Seconds and peak memory of one variant."""
    if variant == "index":
        held = tfdual.serving.ItemEmbeddings(folder)
        begin = time.perf_counter()
        tfdual.BruteForce().build(held.blocks(), held.ids)
        return done(begin, len(held))
    keras.utils.set_random_seed(0)
    items = tfdual.read(path, SCHEMA.select_by_tag(Tags.ITEM))
    users = tfdual.Preprocessor(SCHEMA.select_by_name("user_id")).adapt(
        tfdual.read({"user_id": [1, 2]}, SCHEMA.select_by_name("user_id"))
    )
    prep = tfdual.Preprocessor(items.schema.select_by_name(READ)).adapt(items)  # the title is kept, not read
    ready = Schema([*users.schema, *prep.schema])
    options = EmbeddingOptions(embedding_dim_default=64)
    towers = tfdual.TwoTowerBlock(ready, MLPBlock([128, 64]), embedding_options=options, post="l2-norm")
    model = tfdual.TwoTowerModel(towers)
    encode = model.compiled_encode_item
    batches = items.batch(BATCH).map(prep)
    if variant == "forward":
        held = list(batches)
        for batch in held[:2] + held[-1:]:
            encode(batch)
        begin = time.perf_counter()
        for batch in held:
            encode(batch).numpy()
        return done(begin, len(items))
    for batch in batches.take(2):
        encode(batch)
    begin = time.perf_counter()
    embed_items(model, items, prep, folder, attributes=["title"])
    return done(begin, len(items))


def done(begin: float, items: int) -> dict:
    """What a worker reports."""
    seconds = time.perf_counter() - begin
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"seconds": seconds, "items_a_second": items / seconds, "peak_mb": peak}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "embed_items.json")
    parser.add_argument("--worker", nargs=3, metavar=("VARIANT", "ITEMS", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if min(chosen.items, chosen.rounds) < 1:
        parser.error("items and rounds must be at least 1")
    return chosen


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    if chosen.worker:
        variant, path, folder = chosen.worker
        print(json.dumps(worker(variant, Path(path), Path(folder))))
        return
    load_before = os.getloadavg()[0]
    rounds: dict[str, list[dict]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        write_items(path, chosen.items)
        for place in range(chosen.rounds):
            for variant in VARIANTS:
                command = [sys.executable, __file__, "--worker", variant, str(path), f"{folder}/embeddings-{place}"]
                run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                rounds[variant].append(json.loads(run.stdout.splitlines()[-1]))
    best = {variant: max(done["items_a_second"] for done in found) for variant, found in rounds.items()}
    shown = Table(title=f"{chosen.items:,} items, the best of {chosen.rounds}", title_justify="left", box=box.SIMPLE)
    for heading in ("", "items/s", "of the forward", "peak MB"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for variant, name in VARIANTS.items():
        peak = max(done["peak_mb"] for done in rounds[variant])
        shown.add_row(name, f"{best[variant]:,.0f}", f"{best[variant] / best['forward']:.0%}", f"{peak:,}")
    console.print(shown)
    write_report(chosen.out, "embed_items", load_before, {"items": chosen.items, "batch": BATCH}, rounds=rounds)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
