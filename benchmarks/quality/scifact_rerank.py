"""SciFact: the first stage's hundred in the order of a cross-encoder, fine-tuned from MiniLM on 809 training claims.

    python benchmarks/quality/scifact_rerank.py             both first stages, on test, three seeds
    python benchmarks/quality/scifact_rerank.py --valid     on training claims of held-out documents, to choose
    python benchmarks/quality/scifact_rerank.py --titles 10 --steps 20 --seeds 0 --only BM25 --claims 10

First stages are BM25 and the bi-encoder (all-MiniLM-L6-v2 as it is, the cosine of title and abstract). MiniLM never
saw a pair, and claims are few: so the cross-encoder first learns which abstract a title is of. Lists to learn from
hold a right document and hard ones, of which half are BM25's and half the bi-encoder's, drawn anew from the best each
step. Beside the cross-encoder's order stands its fusion with that of the first stage, by reciprocal ranks.
Differences to the first stage with 95 % intervals over the claims; claims whose documents no training claim has stand
apart, too.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from quality_report import cells_of, data_folder, earlier_report, write_report
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

    titles: int  # steps on titles and abstracts, before those on claims
    steps: int
    batch: int  # lists a step
    hard: int  # documents of a list beside the right one
    best: int  # they are drawn from the first so many of each first stage
    layers: int  # of the encoder, from the last; 0 trains everything
    tokens: int
    rate: float
    loss: str
    pooling: str


def first_stages(data: SciFact, texts: list[str], vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of the documents that each first stage finds for these texts, `(texts, DEPTH)`, -1 behind all."""
    words = BM25().build(data.texts).search_positions(texts, DEPTH).positions
    return {"BM25": words, "bi-encoder": found_by(data, vectors)}


@dataclass(frozen=True)
class Questions:
    """What to learn from: texts, the positions of the documents that are right for each, and the documents' texts."""

    texts: list[str]
    vectors: np.ndarray
    right: list[list[int]]
    documents: np.ndarray

    @classmethod
    def claims(cls, data: SciFact) -> "Questions":
        """The training claims."""
        place = {name: position for position, name in enumerate(data.ids)}
        columns = data.columns(list(data.train))
        right = [[place[document] for document in each] for each in data.train.values()]
        return cls(columns["text"], columns["claim"], right, np.array(data.texts, object))

    @classmethod
    def titles(cls, data: SciFact) -> "Questions":
        """The title of every document, for which its abstract is right."""
        rows = pq.read_table(data_folder("scifact", Console()) / "corpus.parquet").to_pylist()
        titles = [row["title"] for row in rows]
        vectors = np.asarray(data.encoder(tf.constant(titles)))
        return cls(titles, vectors, [[i] for i in range(len(rows))], np.array([row["text"] for row in rows], object))


def lists(
    data: SciFact, asked: Questions, settings: Settings, chance: np.random.Generator
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Batches of questions with a right document, the first of each list, and hard ones; without an end."""
    found = first_stages(data, asked.texts, asked.vectors)
    hard = [
        [np.setdiff1d(ranked[row, : settings.best], [-1, *right]) for ranked in found.values()]
        for row, right in enumerate(asked.right)
    ]
    enough = [
        row for row, found in enumerate(hard) if 2 * min(map(len, found)) >= settings.hard
    ]  # few titles are empty
    labels = np.tile(np.eye(1, settings.hard + 1, dtype="float32"), (settings.batch, 1))
    texts = np.array(asked.texts, object)
    while True:
        order = chance.permutation(enough)
        for start in range(0, len(order) - settings.batch + 1, settings.batch):
            rows = order[start : start + settings.batch]
            drawn = [[chance.choice(asked.right[row]), *_drawn(hard[row], settings.hard, chance)] for row in rows]
            yield {"claim": texts[rows], "document": asked.documents[np.array(drawn)]}, labels


def _drawn(hard: list[np.ndarray], count: int, chance: np.random.Generator) -> list[int]:
    halves = [count // 2, count - count // 2]
    return [
        int(one) for found, half in zip(hard, halves, strict=True) for one in chance.choice(found, half, replace=False)
    ]


def trained(data: SciFact, settings: Settings, seed: int) -> CrossEncoder:
    """A cross-encoder after the steps of titles and claims; the rate rises over the first tenth and falls to zero."""
    keras.utils.set_random_seed(seed)
    encoder = TextEncoder.from_directory(model_directory(), max_length=settings.tokens, trainable_layers="all")
    pairs, last = TextPairEncoder(encoder, settings.pooling), settings.layers or None
    model = CrossEncoder(pairs, "claim", "document", num_layers=last, ranking_loss=LOSSES[settings.loss])
    steps = settings.titles + settings.steps
    warm = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm, warmup_target=settings.rate, warmup_steps=warm)
    model.compile(tfdual.LazyAdam(rate, global_clipnorm=1.0))
    shape = settings.batch, settings.hard + 1
    columns = {"claim": tf.TensorSpec(shape[:1], tf.string), "document": tf.TensorSpec(shape, tf.string)}
    chance = np.random.default_rng(seed)

    def rows() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        if settings.titles:
            yield from islice(lists(data, Questions.titles(data), settings, chance), settings.titles)
        yield from lists(data, Questions.claims(data), settings, chance)

    batches = tf.data.Dataset.from_generator(rows, output_signature=(columns, tf.TensorSpec(shape, tf.float32)))
    model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0)
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
    split = "claims of a fifth of the training documents, held out" if chosen.valid else "test"
    told = vars(settings) | {"split": split, "claims": len(names), "depth": DEPTH}
    runs: list[dict[str, Any]] = earlier_report(chosen.out, told).get("runs", [])

    def add(*found: dict[str, Any]) -> None:
        made = {(one["variant"], one["seed"]) for one in found}
        runs[:] = [one for one in runs if (one["variant"], one["seed"]) not in made] + list(found)

    columns = data.columns(names)
    found_first = first_stages(data, columns["text"], columns["claim"])
    stages = {name: found_first[name] for name in chosen.only}
    before = {name: measured(right, new, ranked) for name, ranked in stages.items()}
    add(*(run(name, 0, found, found, 0.0) for name, found in before.items()))
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
                add(run(variant, seed, measured(right, new, found), before[name], seconds))
                console.print(f"{variant}, seed {seed}: {runs[-1]['ndcg@10']['mean']:.4f}, pairs in {seconds:.0f} s")
        if chosen.out:
            write_report(chosen.out, "scifact_rerank", load_before, told, runs=runs)
    console.print(table(runs, chosen.valid))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    held = "ask the claims of a fifth of the training documents, train on the others"
    parser.add_argument("--valid", action="store_true", help=held)
    stages = ["BM25", "bi-encoder"]
    parser.add_argument("--only", nargs="+", choices=stages, default=stages, help="first stages")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--titles", type=int, default=200, help="steps on titles and abstracts, before")
    parser.add_argument("--steps", type=int, default=200, help="steps on claims")
    parser.add_argument("--batch", type=int, default=8, help="lists a step")
    parser.add_argument("--hard", type=int, default=7, help="documents of a list beside the right one")
    parser.add_argument("--best", type=int, default=30, help="of which they are drawn, of each first stage")
    parser.add_argument("--layers", type=int, default=0, help="last layers to train; 0 trains everything")
    parser.add_argument("--tokens", type=int, default=192, help="of claim and document together")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--loss", choices=[*LOSSES], default="listwise")
    parser.add_argument("--pooling", choices=["cls", "mean"], default="mean")
    parser.add_argument("--claims", type=int, help="ask the first so many alone")
    parser.add_argument("--out", type=Path, help="JSON to write, or to add to")
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
