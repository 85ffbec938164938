"""A training step of a text query tower: item vectors read as a column, or computed, frozen or trained as well.

    python benchmarks/frozen_items.py [--batch 32] [--steps 10] [--rounds 3] [--out FILE]
    python benchmarks/frozen_items.py --batch 4 --steps 1 --rounds 1 --out /tmp/smoke.json     # does it run?

SciFact's claims against title and abstract of 256 tokens, all-MiniLM-L6-v2, the last two layers of the query tower
trained. Variants take turns; `times` is the median of the ratio to the first in the same round.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table
from text_data import TOKENS, documents, model_directory

import tfdual
from tfdual import ColumnSchema, DualEncoderBlock, Schema, Tags, TwoTowerModel
from tfdual.features import TextEncoder
from tfdual.models import DualEncoder
from tfdual.tailoring import FrozenItemModel
from tfdual.towers import BertTower

LAYERS = 2
READ, COMPUTED, TRAINED = "item vectors read", "computed, frozen", "computed and trained"
CLAIM, TEXT = ColumnSchema("claim", [Tags.USER], dtype="string"), ColumnSchema("text", [Tags.ITEM], dtype="string")


def rows(scifact: Path, count: int) -> dict[str, np.ndarray]:
    """Claims, and texts and numbers of documents."""
    claims = pq.read_table(scifact / "queries.parquet")["text"].to_pylist()[:count]
    _, texts = documents(scifact, count)
    return {"claim": np.array(claims, object), "text": np.array(texts, object), "doc": np.arange(count)}


def models(width: int) -> dict[str, DualEncoder]:
    """Three models whose query towers are alike."""

    def tower(column: ColumnSchema, layers: int | None) -> BertTower:
        return BertTower(Schema([column]), TextEncoder.from_directory(model_directory(), max_length=TOKENS), layers)

    vector = ColumnSchema("vector", [Tags.ITEM], dtype="float32", dims=(None, width))
    schema = Schema([CLAIM, vector, ColumnSchema("doc", [Tags.ITEM_ID])])
    options: dict[str, Any] = {"temperature": 0.05, "sampling_correction": False, "item_id": "doc"}
    made: dict[str, DualEncoder] = {READ: FrozenItemModel(schema, tower(CLAIM, LAYERS), "minilm", **options)}
    for name, layers in {COMPUTED: None, TRAINED: LAYERS}.items():
        towers = DualEncoderBlock(tower(CLAIM, LAYERS), tower(TEXT, layers), post="l2-norm")
        made[name] = TwoTowerModel(towers, **options)
    for model in made.values():
        model.compile(tfdual.LazyAdam(1e-5))
    return made


def steps_of(model: DualEncoder, batches: list[dict[str, tf.Tensor]]) -> Callable[[], float]:
    """A function that trains on all batches and gives milliseconds a step."""

    def run() -> float:
        start = time.perf_counter()
        for batch in batches:
            model.train_on_batch(batch)
        return 1e3 * (time.perf_counter() - start) / len(batches)

    return run


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "frozen_items.json")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    data = Path(os.environ.get("TFDUAL_DATA", HERE.parents[1] / "shared" / "data")) / "scifact"
    if not data.exists():
        raise SystemExit(f"There is no {data}. Set TFDUAL_DATA to the folder that holds scifact/.")
    found = rows(data, chosen.batch * chosen.steps)
    width = TextEncoder.from_directory(model_directory()).dim
    vectors = np.random.default_rng(0).normal(size=(len(found["doc"]), width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # whatever they hold, a step takes as long
    columns = {name: tf.constant(values) for name, values in found.items()} | {"vector": tf.constant(vectors)}
    batches = list(tf.data.Dataset.from_tensor_slices(columns).batch(chosen.batch))
    runs = {name: steps_of(model, batches) for name, model in models(width).items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # traces, and isn't counted
    for _ in range(chosen.rounds):
        for name, run in runs.items():
            times[name].append(run())
    results = {
        name: {
            "ms": round(median(taken), 1),
            "times": round(median(own / read for own, read in zip(taken, times[READ], strict=True)), 2),
        }
        for name, taken in times.items()
    }
    table = Table(title=f"A step of {chosen.batch} pairs", title_justify="left", box=box.SIMPLE)
    for heading in ("variant", "ms", "times"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for name, result in results.items():
        table.add_row(name, f"{result['ms']:,.0f}", f"{result['times']:.2f}")
    console.print(table)
    write_report(
        chosen.out, "frozen_items", load_before, {"batch": chosen.batch, "steps": chosen.steps}, results=results
    )
    console.print(f"Written: {chosen.out}")


if __name__ == "__main__":
    main()
