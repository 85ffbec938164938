"""MuTual: which of four answers goes on with a dialogue; bi-encoder, poly-encoder and cross-encoder from one MiniLM.

    python benchmarks/quality/mutual.py                     every variant, on the development part, three seeds
    python benchmarks/quality/mutual.py --valid             on a tenth of the training part, held out, to choose by
    python benchmarks/quality/mutual.py --costs             what scoring takes; on free cores, in minutes
    python benchmarks/quality/mutual.py --only bi --steps 20 --seeds 0
    python benchmarks/quality/mutual.py --only poly-64 --valid --set scale=10 rate=1e-4

7,088 dialogues to train on, 886 to ask; the test part has no labels. Every variant reads the same tokens, the last 128
words of a dialogue, and takes as many steps on the same dialogues, of about one length in a batch. Bi- and poly-encoder
tell a dialogue's answer from the other candidates of all dialogues of the batch; the cross-encoder from those of its
own, which is all that it can afford. R@1, R@2 and MRR; differences to the bi-encoder of the same seed with 95 %
intervals over the dialogues. A seed takes one or two hours of one core: with `--out`, what the file has of other seeds,
of the same settings, stays in it.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from quality_report import data_folder, earlier_report, write_report
from rich.console import Console
from rich.table import Table
from text_data import model_directory

import tfdual
from tfdual import BruteForce, ColumnSchema, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.features.text import TextPairEncoder
from tfdual.index import Index, PolyIndex
from tfdual.losses import sampled_softmax
from tfdual.metrics import paired_test
from tfdual.models import CrossEncoder, DualEncoder, PolyEncoder
from tfdual.negatives import InBatch, TextNegatives
from tfdual.towers import BertTower, DualEncoderBlock

SEPARATOR, WORDS, TOKENS, CANDIDATES = " [SEP] ", 128, 256, 4
SORTED_AT_ONCE = 16  # batches
METRICS = ("R@1", "R@2", "MRR")
QUERY, ITEM = ColumnSchema("query", [Tags.USER], dtype="string"), ColumnSchema("item", [Tags.ITEM], dtype="string")
SCHEMA = Schema([QUERY, ITEM, ColumnSchema("item_id", [Tags.ITEM_ID])])
ASKED_AT_ONCE, REPEATS = 32, 20
CORPORA = (1_000, 100_000)


@dataclass(frozen=True)
class Settings:
    """How a variant is trained, alike for all but the rate and what a variant alone has."""

    codes: int = 0
    scale: float = 20.0
    temperature: float = 0.05
    rate: float = 5e-5
    batch: int = 16
    warm_up: float = 0.1


VARIANTS = {
    "bi": Settings(),
    "poly-16": Settings(codes=16),
    "poly-64": Settings(codes=64),
    "cross": Settings(),
}


@dataclass(frozen=True)
class Dialogues:
    """Dialogues, their first turns alone, four candidates each, and the place of the right one."""

    history: np.ndarray
    first: np.ndarray
    candidates: np.ndarray
    label: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "Dialogues":
        """Of a Parquet file."""
        rows = pq.read_table(path).to_pydict()
        texts = [SEPARATOR.join(turns).split()[-WORDS:] for turns in rows["history"]]
        history = np.array([" ".join(words) for words in texts], object)
        first = np.array([turns[0] for turns in rows["history"]])
        return cls(history, first, np.array(rows["candidates"], object), np.array(rows["label"]))

    def __len__(self) -> int:
        return len(self.label)

    def of(self, rows: np.ndarray) -> "Dialogues":
        """Some of them."""
        return Dialogues(self.history[rows], self.first[rows], self.candidates[rows], self.label[rows])

    def held_out(self) -> tuple["Dialogues", "Dialogues"]:
        """Nine tenths and one tenth; dialogues that begin alike, of which many questions are asked, stay together."""
        known = np.unique(self.first)
        held = np.isin(self.first, np.random.default_rng(0).choice(known, len(known) // 10, replace=False))
        return self.of(~held), self.of(held)

    def right(self) -> np.ndarray:
        """The right candidates, `(dialogues,)`."""
        return self.candidates[np.arange(len(self)), self.label]

    def wrong(self) -> np.ndarray:
        """The others, `(dialogues, 3)`."""
        return self.candidates[np.arange(CANDIDATES) != self.label[:, None]].reshape(len(self), -1)


def batches(
    columns: dict[str, np.ndarray], labels: np.ndarray | None, settings: Settings, steps: int, seed: int
) -> Any:
    """So many batches, each dialogue once an epoch, those of a batch about equally long."""
    chance, count = np.random.default_rng(seed), settings.batch
    words = np.array([len(text.split()) for text in columns["query"]])
    rows: list[np.ndarray] = []
    while len(rows) < steps:
        drawn = np.array_split(chance.permutation(len(words)), -(-len(words) // (count * SORTED_AT_ONCE)))
        chunks = [chunk[np.argsort(words[chunk], kind="stable")] for chunk in drawn]
        epoch = [chunk[start : start + count] for chunk in chunks for start in range(0, len(chunk), count)]
        rows += [epoch[place] for place in chance.permutation(len(epoch))]
    tensors = {name: tf.constant(values.tolist()) for name, values in columns.items()}
    content = tensors if labels is None else (tensors, tf.constant(labels))
    taken = tf.data.Dataset.from_tensor_slices(tf.ragged.constant(rows[:steps], dtype=tf.int32))
    return taken.map(lambda rows: tf.nest.map_structure(lambda values: tf.gather(values, rows), content)).prefetch(2)


def encoder_of(layers: int) -> TextEncoder:
    """MiniLM, of which the last layers are trained."""
    return TextEncoder.from_directory(model_directory(), trainable_layers=layers, max_length=TOKENS)


def dual_encoder(settings: Settings, layers: int, seed: int) -> DualEncoder:
    """The bi-encoder, or a poly-encoder; both sides share the text model."""
    options: dict[str, Any] = {
        "temperature": settings.temperature,
        "negatives": InBatch() + TextNegatives("wrong", "item"),
        "sampling_correction": False,
    }
    encoder = encoder_of(layers)
    if settings.codes:
        return PolyEncoder(SCHEMA, encoder, codes=settings.codes, scale=settings.scale, seed=seed, **options)
    towers = DualEncoderBlock(BertTower(Schema([QUERY]), encoder), BertTower(Schema([ITEM]), encoder))
    return tfdual.TwoTowerModel(towers, item_id="item_id", **options)


def optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """Warm-up, then a cosine to nothing."""
    warm_up = int(settings.warm_up * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / max(warm_up, 1), max(steps - warm_up, 1), warmup_target=settings.rate, warmup_steps=warm_up
    )
    return tfdual.LazyAdam(schedule if warm_up else settings.rate)


def untrained(name: str, settings: Settings, layers: int, seed: int) -> keras.Model:
    """A variant as MiniLM is."""
    keras.utils.set_random_seed(seed)
    if name != "cross":
        return dual_encoder(settings, layers, seed)
    pairs = TextPairEncoder(encoder_of(layers), keep="last", separator=SEPARATOR)
    return CrossEncoder(pairs, ranking_loss=sampled_softmax)


def trained(train: Dialogues, name: str, settings: Settings, chosen: argparse.Namespace, seed: int) -> keras.Model:
    """A model after `--steps`."""
    model, labels = untrained(name, settings, chosen.layers, seed), None
    if name == "cross":
        columns = {"query": train.history, "item": train.candidates}
        labels = np.eye(CANDIDATES, dtype="float32")[train.label]
    else:
        ids = np.unique(train.right(), return_inverse=True)[1] + 1
        columns = {"query": train.history, "item": train.right(), "wrong": train.wrong(), "item_id": ids}
    model.compile(optimizer(settings, chosen.steps))
    model.fit(batches(columns, labels, settings, chosen.steps, seed), verbose=chosen.verbose)
    return model


def scorer(model: keras.Model) -> Callable[[Any, Any], Any]:
    """From dialogues `(batch,)` and candidates `(batch, 4)` to scores."""
    if isinstance(model, CrossEncoder):
        return tf.function(lambda query, item: model({"query": query, "item": item}), reduce_retracing=True)

    def score(query: Any, item: Any) -> Any:
        vectors = model.compiled_encode_item({"item": tf.reshape(item, [-1])})
        vectors = tf.reshape(vectors, [-1, CANDIDATES, vectors.shape[-1]])
        return model.interaction.each(model.compiled_encode_query({"query": query}), vectors)

    return score


def measured(model: keras.Model, asked: Dialogues) -> dict[str, np.ndarray]:
    """A value a dialogue; among equal scores the right one is last."""
    score, found = scorer(model), []
    for start in range(0, len(asked), ASKED_AT_ONCE):
        part = asked.of(np.arange(start, min(start + ASKED_AT_ONCE, len(asked))))
        found.append(np.asarray(score(tf.constant(part.history.tolist()), tf.constant(part.candidates.tolist()))))
    scores = np.concatenate(found)
    own = scores[np.arange(len(asked)), asked.label]
    rank = (scores >= own[:, None]).sum(axis=1)
    return {"R@1": (rank <= 1) * 1.0, "R@2": (rank <= 2) * 1.0, "MRR": 1.0 / rank}


def median_ms(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Of some calls, after one that traces."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return round(1e3 * float(np.median(times)), 3)


def costs(model: keras.Model, asked: Dialogues) -> dict[str, float]:
    """Milliseconds a dialogue: of encoding it, and of scoring cached candidates; a cross-encoder caches nothing."""
    history = tf.constant(asked.history[:1].tolist())
    if isinstance(model, CrossEncoder):
        texts = np.resize(asked.candidates.ravel(), (1, CORPORA[0]))
        score, lists = scorer(model), tf.constant(texts.tolist())
        found = median_ms(lambda: np.asarray(score(history, lists)), repeats=1)
        return {"encode": 0.0, **{f"score {count:,}": round(found * count / CORPORA[0], 1) for count in CORPORA}}
    query = model.compiled_encode_query({"query": history})
    found = {"encode": median_ms(lambda: model.compiled_encode_query({"query": history}).numpy())}
    for count in CORPORA:
        vectors = np.random.default_rng(0).normal(size=(count, query.shape[-1])).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        index: Index = BruteForce() if query.shape.rank == 2 else PolyIndex(scale=model.interaction.scale)
        index.build(vectors)
        found[f"score {count:,}"] = median_ms(lambda index=index: index.search_positions(query, 1)[0].numpy())
    return found


def summary(values: dict[str, np.ndarray], base: dict[str, np.ndarray] | None) -> dict[str, Any]:
    """Means, and the differences to the bi-encoder of the same seed."""
    found: dict[str, Any] = {}
    for name in METRICS:
        found[name] = {"mean": round(float(values[name].mean()), 4)}
        if base is not None:
            test = paired_test(values[name], base[name])
            interval = [round(float(bound), 4) for bound in test.interval]
            found[name] |= {"difference": round(test.difference, 4), "interval": interval, "p": round(test.p_value, 4)}
    return found


def over_seeds(runs: list[dict[str, Any]], name: str) -> dict[str, list[float]]:
    """Mean, least and greatest of a variant's runs."""
    found = {}
    for metric in METRICS:
        means = [one[metric]["mean"] for one in runs if one["variant"] == name]
        found[metric] = [round(float(value), 4) for value in (np.mean(means), min(means), max(means))]
    return found


def table(runs: list[dict[str, Any]], part: str) -> Table:
    """All runs; an asterisk where the interval of the difference to the bi-encoder excludes zero."""
    shown = Table(
        "", "seed", *(heading for name in METRICS for heading in (name, "95 %")), "s", title=f"MuTual, {part}"
    )
    for one in runs:
        cells = [one["variant"], str(one["seed"])]
        for name in METRICS:
            low, high = one[name].get("interval", (0.0, 0.0))
            sure = "*" if low > 0 or high < 0 else ""
            cells += [f"{one[name]['mean']:.4f}{sure}", f"{low:+.3f} {high:+.3f}" if "interval" in one[name] else ""]
        shown.add_row(*cells, str(one["seconds"]))
    return shown


def costs_table(found: dict[str, dict[str, float]]) -> Table:
    """Milliseconds a dialogue at batch 1."""
    headings = ["encode", *(f"score {count:,}" for count in CORPORA)]
    shown = Table("", *headings, title="milliseconds a dialogue")
    for name, one in found.items():
        shown.add_row(name, *(f"{one[heading]:,.1f}" for heading in headings))
    return shown


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valid", action="store_true", help="hold a tenth of the training part out, and ask that")
    parser.add_argument("--costs", action="store_true", help="measure what scoring takes, of models as MiniLM is")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=200, help="of each variant; 443 are an epoch")
    parser.add_argument("--layers", type=int, default=3, help="how many of the last of six layers are trained")
    parser.add_argument("--asked", type=int, help="ask the first dialogues alone")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings to change")
    parser.add_argument("--verbose", type=int, default=0, help="of Keras's fit")
    parser.add_argument("--out", type=Path, help="JSON to write, or to add to")
    return parser.parse_args()


def main() -> None:
    """Train and ask, or measure costs; print a table, write JSON."""
    chosen, console, load_before = arguments(), Console(), os.getloadavg()[0]
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in chosen.set)}
    variants = {name: replace(VARIANTS[name], **changes) for name in chosen.only}
    folder = data_folder("mutual", console)
    train, asked = Dialogues.read(folder / "train.parquet"), Dialogues.read(folder / "dev.parquet")
    if chosen.valid:
        train, asked = train.held_out()
    asked = asked.of(np.arange(len(asked))[: chosen.asked])
    part = f"{len(asked)} dialogues of {'the training part, held out' if chosen.valid else 'the development part'}"
    told = {"part": part, "steps": chosen.steps, "layers": chosen.layers, "tokens": TOKENS}
    earlier = earlier_report(chosen.out, told)
    runs, found = earlier.get("runs", []), earlier.get("costs", {})

    def write() -> None:
        if chosen.out:
            means = {one: over_seeds(runs, one) for one in dict.fromkeys(run["variant"] for run in runs)}
            write_report(chosen.out, "mutual", load_before, told, runs=runs, means=means, costs=found)

    if chosen.costs:
        found |= {name: costs(untrained(name, one, chosen.layers, 0), asked) for name, one in variants.items()}
        write()
        console.print(costs_table(found))
        return
    runs = [one for one in runs if one["variant"] not in chosen.only or one["seed"] not in chosen.seeds]
    for seed in chosen.seeds:
        base = None
        for name, settings in variants.items():
            start = time.perf_counter()
            model = trained(train, name, settings, chosen, seed)
            seconds = round(time.perf_counter() - start)
            values = measured(model, asked)
            base = values if name == "bi" else base
            kept = summary(values, None if name == "bi" else base)
            runs.append({"variant": name, "seed": seed, "settings": asdict(settings), **kept, "seconds": seconds})
            console.print(f"{name}, seed {seed}: " + ", ".join(f"{one} {kept[one]['mean']:.4f}" for one in METRICS))
            write()
            keras.backend.clear_session()
    console.print(table(runs, part))


if __name__ == "__main__":
    main()
