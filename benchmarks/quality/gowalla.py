"""Gowalla, LightGCN's split: Recall@20 and NDCG@20 over all items that are not in the user's training rows.

Ids alone, embeddings of 64, no graph: a query is the mean of the rows of the items that its user has in training, in a
table of their own; an item is a row and a bias; negatives are the batch's items and 32,768 draws of the catalogue.

    python benchmarks/quality/gowalla.py                            the chosen settings, on test, three seeds
    python benchmarks/quality/gowalla.py --ablation                 and each part of it, one seed
    python benchmarks/quality/gowalla.py --only NAME --valid        on a held-out fifth of train, to choose settings
"""

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from quality_report import data_folder, write_report
from rich.console import Console
from rich.table import Table

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, InputBlock, Schema, Tags, losses, negatives
from tfdual.evaluation import EvaluationReport

SCHEMA = Schema([ColumnSchema("user_id", [Tags.USER_ID]), ColumnSchema("item_id", [Tags.ITEM_ID])])
PUBLISHED = {
    "MF-BPR": (0.1627, 0.1378),
    "YouTube-DNN two-tower": (0.1754, 0.1473),
    "LightGCN": (0.1820, 0.1547),
    "MF-CCL": (0.1837, 0.1493),
    "UltraGCN": (0.1862, 0.1580),
    "SimpleX": (0.1872, 0.1557),
}
DIM = 64
K = 20
Sources = Callable[["Data"], negatives.Negatives]


@dataclass(frozen=True)
class Settings:
    """How a model is trained."""

    query: str = "history"  # or "user_id": a row of its own for each user
    bias: bool = True
    temperature: float = 0.12
    users: int = 128  # of a batch; it holds all their items
    epochs: int = 30
    rate: float = 6e-3
    l2: float = 0.0
    post: str | None = "l2-norm"
    known: bool = True
    correction: bool = True
    loss: Callable | None = None
    sources: Sources = lambda data: negatives.InBatch()


def uniform(count: int) -> Sources:
    """The batch's items, and some of the catalogue."""
    return lambda data: negatives.InBatch() + negatives.Uniform(count, seed=0).adapt(data.catalogue)


def catalogue_alone(count: int) -> Sources:
    """Some of the catalogue."""
    return lambda data: negatives.Uniform(count, seed=0).adapt(data.catalogue)


def memory(size: int) -> Sources:
    """The batch's items, and those of the batches before."""
    return lambda data: negatives.InBatch() + negatives.CrossBatchMemory(size, warm_up=300)


BASE = Settings()
CHOSEN = replace(BASE, sources=uniform(32_768))
BPR = functools.partial(losses.bpr, max_positives=1)
CCL = functools.partial(losses.cosine_contrastive, margin=0.9, negative_weight=150.0)
ABLATION = {
    "chosen": CHOSEN,
    "the batch's items alone": BASE,
    "a row for each user in place of the history": replace(BASE, query="user_id"),
    "no bias of the item": replace(BASE, bias=False),
    "no sampling correction": replace(BASE, correction=False),
    "known positives as negatives": replace(BASE, known=False),
    "temperature 0.06": replace(BASE, temperature=0.06),
    "temperature 0.24": replace(BASE, temperature=0.24),
    "and 8,192 uniform negatives": replace(BASE, sources=uniform(8_192)),
    "and 2,048 uniform negatives": replace(BASE, sources=uniform(2_048)),
    "2,048 uniform negatives alone": replace(BASE, sources=catalogue_alone(2_048)),
    "and a memory of 8,192": replace(BASE, sources=memory(8_192)),
    "the 256 hardest of the batch": replace(BASE, sources=lambda data: negatives.InBatch(hardest=256)),
    "BPR": replace(BASE, loss=BPR, sources=catalogue_alone(512)),
    "cosine contrastive": replace(BASE, loss=CCL, sources=catalogue_alone(1_024), temperature=1.0, bias=False),
}


class Data:
    """The rows of a split, model-ready, and what users have in training."""

    def __init__(self, folder: Path, valid: bool) -> None:
        train, test = (
            pq.read_table(folder / f"{name}.parquet").select(SCHEMA.column_names) for name in ("train", "test")
        )
        if valid:
            held = a_fifth_of_each(np.asarray(train["user_id"]))
            train, test = train.filter(~held), train.filter(held)
        rows = tfdual.read(train, SCHEMA)
        self.prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
        pairs, asked = self._ready(train), self._ready(test)
        if unknown := int(tf.reduce_sum(tf.cast(asked["item_id"] == 0, tf.int32))):
            sys.stderr.write(f"{unknown:,} test rows name items of no training row: left out, of recall too.\n")
        self.known = lists_of(pairs["user_id"], pairs["item_id"])
        self.users = tf.unique(pairs["user_id"])[0]
        log_probability = pairs["item_id_log_probability"]
        self.log_probability = tf.tensor_scatter_nd_update(
            tf.zeros(tf.reduce_max(pairs["item_id"]) + 1), pairs["item_id"][:, None], log_probability
        )
        relevant = lists_of(asked["user_id"], asked["item_id"])
        users = tf.unique(asked["user_id"])[0]
        seen = tf.gather(self.known, users)
        self.queries = tf.data.Dataset.from_tensor_slices(
            {"user_id": users, "history": seen, "seen": seen, "relevant": tf.gather(relevant, users)}
        ).batch(4_096)
        self.catalogue = rows.unique(by="item_id").batch(8_192).map(self.prep)
        self.items = tf.data.Dataset.range(1, len(self.log_probability)).batch(8_192).map(lambda ids: {"item_id": ids})

    def _ready(self, table: pa.Table) -> dict[str, tf.Tensor]:
        return self.prep({name: tf.constant(np.asarray(table[name])) for name in SCHEMA.column_names})

    def schema(self, query: str) -> Schema:
        """The columns of the pairs, with the query's, `user_id` or `history`, as the user's."""
        items = self.prep.schema["item_id"].cardinality
        history = ColumnSchema(
            "history", [Tags.USER], {"domain": {"name": "history", "min": 0, "max": items - 1}}, is_list=True
        )
        return Schema(
            column for column in (*self.prep.schema, history) if Tags.USER not in column.tags or column.name == query
        )

    def batches(self, settings: Settings, seed: int) -> tf.data.Dataset:
        """All pairs of some users, each with all items of its user."""

        def pairs(users: tf.Tensor) -> dict[str, tf.Tensor]:
            items = tf.gather(self.known, users)
            rows = items.value_rowids()
            return {
                "user_id": tf.gather(users, rows),
                "item_id": items.values,
                "item_id_log_probability": tf.gather(self.log_probability, items.values),
                "history": tf.gather(items, rows),
            }

        users = tf.data.Dataset.from_tensor_slices(self.users).shuffle(len(self.users), seed)
        return users.batch(settings.users).map(pairs).prefetch(2)


def a_fifth_of_each(users: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which rows to hold out, `(rows,)` bool: a fifth of each user's, as the split itself does."""
    order = np.lexsort((np.random.default_rng(seed).random(len(users)), users))
    _, first, counts = np.unique(users[order], return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(first, counts)
    held = np.zeros(len(users), bool)
    held[order] = place < np.repeat(np.round(0.2 * counts), counts)
    return held


def lists_of(users: tf.Tensor, items: tf.Tensor) -> tf.RaggedTensor:
    """The items of each user, `(users, None)`."""
    order = tf.argsort(users, stable=True)
    return tf.RaggedTensor.from_value_rowids(tf.gather(items, order), tf.gather(users, order), validate=False)


def build(data: Data, settings: Settings) -> tfdual.YouTubeDNNModel:
    """A query is the mean of the rows of its user's items, in a table of their own; or a row for its user."""
    options = EmbeddingOptions(embedding_dim_default=DIM, embeddings_l2_reg=settings.l2)
    schema = data.schema(settings.query)
    return tfdual.YouTubeDNNModel(
        schema,
        InputBlock(schema.select_by_tag(Tags.USER), options, aggregation="concat"),
        post=settings.post,
        item_bias=settings.bias,
        temperature=settings.temperature,
        negatives=settings.sources(data),
        loss=settings.loss,
        sampling_correction=settings.correction and settings.loss is None,
        known_positives="user_id" if settings.known else None,
        distinct_queries="user_id",
    )


def trained(
    data: Data, settings: Settings, seed: int, console: Console, every: int = 0
) -> tuple[EvaluationReport, float]:
    """The report of a model after its last epoch, and the seconds of training."""
    keras.utils.set_random_seed(seed)
    model = build(data, settings)
    batches, seconds = data.batches(settings, seed), 0.0
    steps = settings.epochs * int(batches.cardinality())
    model.compile(tfdual.LazyAdam(keras.optimizers.schedules.CosineDecay(settings.rate, steps)))

    def report() -> EvaluationReport:
        return tfdual.evaluate(model, data.queries, data.items, (K,), relevant="relevant", seen="seen")

    for first in range(0, settings.epochs, every or settings.epochs):
        start = time.perf_counter()
        model.fit(
            batches, initial_epoch=first, epochs=min(first + (every or settings.epochs), settings.epochs), verbose=0
        )
        seconds += time.perf_counter() - start
        if every:
            found = report()
            console.print(f"  epoch {first + every}: {found['recall@20']:.4f} {found['ndcg@20']:.4f}, {seconds:.0f} s")
    return report(), seconds


def main() -> None:
    """Train, evaluate, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", action="store_true", help="every variant, with the first seed")
    parser.add_argument("--only", nargs="+", default=["chosen"], choices=ABLATION, help="variants")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--valid", action="store_true", help="train on four fifths of each user's rows, evaluate on the rest"
    )
    parser.add_argument("--every", type=int, default=0, help="evaluate each so many epochs")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings to change")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    console = Console()
    load_before = os.getloadavg()[0]
    data = Data(data_folder("gowalla", console), arguments.valid)
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in arguments.set)}
    names, seeds = (list(ABLATION), arguments.seeds[:1]) if arguments.ablation else (arguments.only, arguments.seeds)
    runs = []
    for name in names:
        for seed in seeds:
            settings = replace(ABLATION[name], **changes)
            report, seconds = trained(data, settings, seed, console, arguments.every)
            runs.append(run(name, seed, report, seconds, settings))
            console.print(
                f"{name}, seed {seed}: {runs[-1]['recall@20']:.4f} / {runs[-1]['ndcg@20']:.4f}, {seconds:.0f} s"
            )
            if arguments.out:
                split = "a fifth of train, held out" if arguments.valid else "test"
                write_report(arguments.out, "gowalla", load_before, {"split": split}, published=published(), runs=runs)
    console.print(table(runs, arguments.valid))


def run(name: str, seed: int, report: EvaluationReport, seconds: float, settings: Settings) -> dict[str, Any]:
    """What is kept of a run."""
    kept = {metric: report[metric] for metric in ("recall@20", "ndcg@20", "coverage@20")}
    intervals = {metric: report.intervals[metric] for metric in ("recall@20", "ndcg@20")}
    plain = {key: value for key, value in vars(settings).items() if isinstance(value, (int, float, str))}
    return {"variant": name, "seed": seed, **kept, "intervals": intervals, "seconds": round(seconds), "settings": plain}


def published() -> dict[str, dict[str, float]]:
    """The table to stand beside."""
    return {name: {"recall@20": recall, "ndcg@20": ndcg} for name, (recall, ndcg) in PUBLISHED.items()}


def table(runs: list[dict[str, Any]], valid: bool) -> Table:
    """The runs below what is published."""
    shown = Table(
        "", "Recall@20", "NDCG@20", "95 % of users' means", "s", title=f"Gowalla, {'valid' if valid else 'test'}"
    )
    for name, (recall, ndcg) in ({} if valid else PUBLISHED).items():
        shown.add_row(f"{name} (published)", f"{recall:.4f}", f"{ndcg:.4f}", "", "")
    for one in runs:
        low, high = one["intervals"]["recall@20"]
        row = f"{one['recall@20']:.4f}", f"{one['ndcg@20']:.4f}", f"{low:.4f} to {high:.4f}", str(one["seconds"])
        shown.add_row(f"tfdual: {one['variant']}, seed {one['seed']}", *row)
    return shown


if __name__ == "__main__":
    main()
