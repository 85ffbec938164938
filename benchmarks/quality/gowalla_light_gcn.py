"""LightGCN on Gowalla, its own split: Recall@20 and NDCG@20 over all items that are not in the user's training rows.

Ids alone, rows of 64 for users and items, propagated over the training rows in each step. `BPR` has the paper's
settings, whose 1,000 epochs of 400 propagations are days here; `softmax` takes many users at once with all their
items, so that an epoch is some tens of propagations.

    python benchmarks/quality/gowalla_light_gcn.py                          the chosen settings, on test, three seeds
    python benchmarks/quality/gowalla_light_gcn.py --only NAME --valid --every 5 --seeds 0      to choose settings
    python benchmarks/quality/gowalla_light_gcn.py --epochs 1 --seeds 0     does it run?
"""

import argparse
import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from gowalla import DIM, PUBLISHED, SCHEMA, Data, K, catalogue_alone, published, run, table, uniform
from quality_report import data_folder, write_report
from rich.console import Console

import tfdual
from tfdual import losses, negatives
from tfdual.evaluation import EvaluationReport
from tfdual.graph import Graph
from tfdual.models import GraphModel, LightGCNModel

PUBLISHED |= {"LightGCN (its own paper)": (0.1830, 0.1554), "LightGCN, sampled softmax": (0.1869, 0.1571)}
USER, ITEM = SCHEMA.column_names
Sources = Callable[[Data], negatives.Negatives]


@dataclass(frozen=True)
class Settings:
    """How a model is trained."""

    users: int = 512  # of a batch; it holds all their items
    pairs: int = 0  # of a batch of single pairs, in place of users
    layers: int = 2
    epochs: int = 20
    rate: float = 1e-2
    decay: bool = True  # of the rate, by a cosine to 0
    temperature: float = 0.11
    post: str | None = "l2-norm"
    bias: bool = True
    l2: float = 0.03
    scale: float = 0.1  # standard deviation of the rows at first
    correction: bool = True
    loss: Callable | None = None
    sources: Sources = lambda data: negatives.InBatch()


SOFTMAX = Settings(sources=uniform(16_384))
BPR = Settings(
    pairs=2_048,
    layers=3,
    epochs=1_000,
    rate=1e-3,
    decay=False,
    temperature=1.0,
    post=None,
    bias=False,
    l2=5e-5,  # the authors' code halves its 1e-4
    correction=False,
    loss=functools.partial(losses.bpr, max_positives=1),
    sources=catalogue_alone(64),
)
VARIANTS = {
    "softmax": SOFTMAX,
    "BPR": BPR,
    "softmax, one layer": replace(SOFTMAX, layers=1),
    "softmax, three layers": replace(SOFTMAX, layers=3),
    "softmax, no bias of the item": replace(SOFTMAX, bias=False),
    "softmax, l2 of 0.01": replace(SOFTMAX, l2=0.01),
}


def graph_of(data: Data) -> Graph:
    """Who has what in training."""
    nodes = {name: data.prep.schema[name].cardinality for name in SCHEMA.column_names}
    pairs = data.known.value_rowids().numpy(), data.known.values.numpy()
    return Graph(nodes, {(USER, "visited", ITEM): pairs})


def batches(data: Data, settings: Settings, seed: int) -> tf.data.Dataset:
    """Single pairs in random order; or all pairs of some users, each with all items of its user."""

    def columns(users: tf.Tensor, items: tf.Tensor) -> dict[str, tf.Tensor]:
        log_probability = tf.gather(data.log_probability, items)
        return {USER: users, ITEM: items, f"{ITEM}_log_probability": log_probability}

    if settings.pairs:
        pairs = tf.data.Dataset.from_tensors((data.known.value_rowids(), data.known.values))
        count = int(tf.size(data.known.values))

        def shuffled(users: tf.Tensor, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            order = tf.random.shuffle(tf.range(count))
            return tf.gather(users, order), tf.gather(items, order)

        found = pairs.map(shuffled).unbatch().batch(settings.pairs).map(columns).prefetch(2)
        return found.apply(tf.data.experimental.assert_cardinality(-(-count // settings.pairs)))

    def all_pairs(users: tf.Tensor) -> dict[str, tf.Tensor]:
        items = tf.gather(data.known, users)
        return columns(tf.gather(users, items.value_rowids()), items.values)

    users = tf.data.Dataset.from_tensor_slices(data.users).shuffle(len(data.users), seed)
    return users.batch(settings.users).map(all_pairs).prefetch(2)


def build(data: Data, settings: Settings) -> GraphModel:
    """LightGCN, trained as the settings say."""
    return LightGCNModel(
        graph_of(data),
        data.prep.schema,
        DIM,
        settings.layers,
        keras.initializers.RandomNormal(stddev=settings.scale),
        post=settings.post,
        item_bias=settings.bias,
        l2=settings.l2,
        temperature=settings.temperature,
        negatives=settings.sources(data),
        loss=settings.loss,
        sampling_correction=settings.correction and settings.loss is None,
        known_positives=USER if settings.loss is None else None,
        distinct_queries=USER,
    )


def trained(
    data: Data, settings: Settings, seed: int, console: Console, every: int = 0
) -> tuple[EvaluationReport, float]:
    """The report of a model after its last epoch, and the seconds of training."""
    keras.utils.set_random_seed(seed)
    model = build(data, settings)
    rows, seconds = batches(data, settings, seed), 0.0
    steps = settings.epochs * int(rows.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(settings.rate, steps) if settings.decay else settings.rate
    model.compile(tfdual.LazyAdam(rate))

    def report() -> EvaluationReport:
        return tfdual.evaluate(model, data.queries, data.items, (K,), relevant="relevant", seen="seen")

    for first in range(0, settings.epochs, every or settings.epochs):
        last = min(first + (every or settings.epochs), settings.epochs)
        start = time.perf_counter()
        history = model.fit(rows, initial_epoch=first, epochs=last, verbose=0).history
        seconds += time.perf_counter() - start
        if every:
            found = report()
            loss, recall, ndcg = history["loss"][-1], found["recall@20"], found["ndcg@20"]
            console.print(f"  epoch {last}: loss {loss:.4f}, {recall:.4f} {ndcg:.4f}, {seconds:.0f} s", soft_wrap=True)
    return report(), seconds


def main() -> None:
    """Train, evaluate, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["softmax"], choices=VARIANTS, help="variants")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--valid", action="store_true", help="train on four fifths of each user's rows")
    parser.add_argument("--epochs", type=int, help="instead of the variant's own")
    parser.add_argument("--every", type=int, default=0, help="evaluate each so many epochs")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings to change")
    parser.add_argument("--uniform", type=int, help="items of the catalogue a step, beside the batch's")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    console, load_before = Console(), os.getloadavg()[0]
    data = Data(data_folder("gowalla", console), arguments.valid)
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in arguments.set)}
    if arguments.epochs:
        changes["epochs"] = arguments.epochs
    if arguments.uniform:
        changes["sources"] = uniform(arguments.uniform)
    runs: list[dict[str, Any]] = []
    for name in arguments.only:
        for seed in arguments.seeds:
            settings = replace(VARIANTS[name], **changes)
            report, seconds = trained(data, settings, seed, console, arguments.every)
            kept = run(name, seed, report, seconds, settings)
            runs.append(kept | {"seconds_an_epoch": round(seconds / settings.epochs, 1)})
            figures = f"{kept['recall@20']:.4f} / {kept['ndcg@20']:.4f}"
            console.print(f"{name}, seed {seed}: {figures}, {runs[-1]['seconds_an_epoch']} s an epoch", soft_wrap=True)
            if arguments.out:
                split = "a fifth of train, held out" if arguments.valid else "test"
                found = {"published": published(), "runs": runs}
                write_report(arguments.out, "gowalla_light_gcn", load_before, {"split": split}, **found)
    console.print(table(runs, arguments.valid))


if __name__ == "__main__":
    main()
