"""SciFact: the first stage's hundred in the order of a cross-encoder, fine-tuned from MiniLM on 809 training claims.

    python benchmarks/quality/scifact_rerank.py             both first stages, on test, three seeds
    python benchmarks/quality/scifact_rerank.py --valid     on training claims of held-out documents, to choose
    python benchmarks/quality/scifact_rerank.py --steps 20 --seeds 0 --only BM25 --claims 10

First stages are BM25 and the bi-encoder (all-MiniLM-L6-v2 as it is, the cosine of title and abstract). Lists to learn
from hold a right document and hard ones, of which half are BM25's and half the bi-encoder's, drawn anew from the best
each step. Beside the cross-encoder's order stands its fusion with that of the first stage, by reciprocal ranks.
Differences to the first stage with 95 % intervals over the claims; claims whose documents no training claim has stand
apart, too.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from quality_report import cells_of, data_folder, write_report
from rich.console import Console
from rich.table import Table
from scifact_tailoring import DEPTH, NEW, SciFact, found_by, measured, run
from text_data import model_directory

import tfdual
from tfdual.features import TextEncoder
from tfdual.features.text import TextPairEncoder
from tfdual.losses import binary_cross_entropy, pairwise_logistic, sampled_softmax
from tfdual.models import CrossEncoder
from tfdual.ranking import BM25, reciprocal_rank_fusion

LOSSES = {"listwise": sampled_softmax, "pairwise": pairwise_logistic, "pointwise": binary_cross_entropy}
METRICS = ("ndcg@10", NEW, "recall@100")


@dataclass(frozen=True)
class Settings:
    """How the cross-encoder is trained."""

    steps: int
    batch: int  # lists a step
    hard: int  # documents of a list beside the right one
    best: int  # they are drawn from the first so many of each first stage
    layers: int  # of the encoder, from the last; 0 trains everything
    tokens: int
    rate: float
    loss: str
    pooling: str


def first_stages(data: SciFact, names: list[str]) -> dict[str, np.ndarray]:
    """Positions of the documents that each first stage finds for these claims, `(claims, DEPTH)`, -1 behind all."""
    columns = data.columns(names)
    words = BM25().build(data.texts).search_positions(columns["text"], DEPTH).positions
    return {"BM25": words, "bi-encoder": found_by(data, columns["claim"])}


def lists(data: SciFact, settings: Settings, seed: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Batches of claims with a right document, the first of each list, and hard ones; without an end."""
    chance, names = np.random.default_rng(seed), list(data.train)
    place = {name: position for position, name in enumerate(data.ids)}
    right = [[place[document] for document in data.train[name]] for name in names]
    found = first_stages(data, names)
    hard = [
        [np.setdiff1d(ranked[row, : settings.best], [-1, *right[row]]) for ranked in found.values()]
        for row in range(len(names))
    ]
    labels = np.tile(np.eye(1, settings.hard + 1, dtype="float32"), (settings.batch, 1))
    texts = np.array(data.texts, object)
    while True:
        order = chance.permutation(len(names))
        for start in range(0, len(order) - settings.batch + 1, settings.batch):
            rows = order[start : start + settings.batch]
            drawn = [[chance.choice(right[row]), *_drawn(hard[row], settings.hard, chance)] for row in rows]
            claims = np.array([data.claims[names[row]] for row in rows], object)
            yield {"claim": claims, "document": texts[np.array(drawn)]}, labels


def _drawn(hard: list[np.ndarray], count: int, chance: np.random.Generator) -> list[int]:
    halves = [count // 2, count - count // 2]
    return [
        int(one) for found, half in zip(hard, halves, strict=True) for one in chance.choice(found, half, replace=False)
    ]


def trained(data: SciFact, settings: Settings, seed: int) -> CrossEncoder:
    """A cross-encoder after so many steps, the rate rising over the first tenth and falling to zero."""
    keras.utils.set_random_seed(seed)
    encoder = TextEncoder.from_directory(model_directory(), max_length=settings.tokens, trainable_layers="all")
    pairs, last = TextPairEncoder(encoder, settings.pooling), settings.layers or None
    model = CrossEncoder(pairs, "claim", "document", num_layers=last, ranking_loss=LOSSES[settings.loss])
    warm = max(1, settings.steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, settings.steps - warm, warmup_target=settings.rate, warmup_steps=warm
    )
    model.compile(tfdual.LazyAdam(rate, global_clipnorm=1.0))
    shape = settings.batch, settings.hard + 1
    columns = {"claim": tf.TensorSpec(shape[:1], tf.string), "document": tf.TensorSpec(shape, tf.string)}
    rows = tf.data.Dataset.from_generator(
        lambda: lists(data, settings, seed), output_signature=(columns, tf.TensorSpec(shape, tf.float32))
    )
    model.fit(rows, steps_per_epoch=settings.steps, epochs=1, verbose=0)
    return model


def reranked(
    data: SciFact, model: CrossEncoder, names: list[str], stages: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The candidates of each first stage in the order of the model, which scores a pair once."""
    pools = [np.setdiff1d(np.concatenate(rows), [-1]) for rows in zip(*stages.values(), strict=True)]
    texts = [[data.texts[position] for position in pool] for pool in pools]
    places = model.rank([data.claims[name] for name in names], texts).positions
    found = {name: np.full_like(candidates, -1) for name, candidates in stages.items()}
    for row, pool in enumerate(pools):
        best = pool[places[row, : len(pool)]]
        for name, candidates in stages.items():
            own = best[np.isin(best, candidates[row])]
            found[name][row, : len(own)] = own
    return found


def main() -> None:
    """Train, rank again, print a table, write JSON."""
    chosen, console, load_before = arguments(), Console(), os.getloadavg()[0]
    settings = Settings(**{name: getattr(chosen, name) for name in Settings.__dataclass_fields__})
    data = SciFact(data_folder("scifact", console), chosen.valid)
    if chosen.claims:
        data.test = dict(list(data.test.items())[: chosen.claims])
    names, right, new = list(data.test), data.right(), data.new()
    stages = {name: ranked for name, ranked in first_stages(data, names).items() if name in chosen.only}
    before = {name: measured(right, new, ranked) for name, ranked in stages.items()}
    runs: list[dict[str, Any]] = [run(name, 0, found, found, 0.0) for name, found in before.items()]
    for seed in chosen.seeds:
        start = time.perf_counter()
        model = trained(data, settings, seed)
        console.print(f"seed {seed}: trained in {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        order = reranked(data, model, names, stages)
        seconds = time.perf_counter() - start
        for name, ranked in order.items():
            fused = reciprocal_rank_fusion([stages[name], ranked], depth=DEPTH).ids
            variants = {f"{name}, then cross-encoder": ranked, f"{name} and cross-encoder, fused": fused}
            for variant, found in variants.items():
                runs.append(run(variant, seed, measured(right, new, found), before[name], seconds))
                console.print(f"{variant}, seed {seed}: {runs[-1]['ndcg@10']['mean']:.4f}, pairs in {seconds:.0f} s")
        if chosen.out:
            split = "claims of a fifth of the training documents, held out" if chosen.valid else "test"
            kept = vars(settings) | {"split": split, "claims": len(names), "depth": DEPTH}
            write_report(chosen.out, "scifact_rerank", load_before, kept, runs=runs)
    console.print(table(runs, chosen.valid))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    held = "ask the claims of a fifth of the training documents, train on the others"
    parser.add_argument("--valid", action="store_true", help=held)
    stages = ["BM25", "bi-encoder"]
    parser.add_argument("--only", nargs="+", choices=stages, default=stages, help="first stages")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=8, help="lists a step")
    parser.add_argument("--hard", type=int, default=7, help="documents of a list beside the right one")
    parser.add_argument("--best", type=int, default=30, help="of which they are drawn, of each first stage")
    parser.add_argument("--layers", type=int, default=0, help="last layers to train; 0 trains everything")
    parser.add_argument("--tokens", type=int, default=256, help="of claim and document together")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--loss", choices=[*LOSSES], default="listwise")
    parser.add_argument("--pooling", choices=["cls", "mean"], default="cls")
    parser.add_argument("--claims", type=int, help="ask the first so many alone")
    parser.add_argument("--out", type=Path, help="JSON to write")
    return parser.parse_args()


def table(runs: list[dict[str, Any]], valid: bool) -> Table:
    """All runs; an asterisk where the interval of the difference excludes zero."""
    headings = [heading for metric in METRICS for heading in (metric, "to first stage", "95 %")]
    shown = Table("", "seed", *headings, "s")
    shown.title = f"SciFact, {'held-out training claims' if valid else 'test'}; the best {DEPTH} in another order"
    for one in runs:
        shown.add_row(one["variant"], str(one["seed"]), *cells_of(one, METRICS), str(one["seconds"]))
    return shown


if __name__ == "__main__":
    main()
