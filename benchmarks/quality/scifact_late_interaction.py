"""SciFact by late interaction: MiniLM's token vectors as they are, and tuned on 809 training claims.

    python benchmarks/quality/scifact_late_interaction.py                      both, on test
    python benchmarks/quality/scifact_late_interaction.py --valid              on training claims of held-out documents
    python benchmarks/quality/scifact_late_interaction.py --only zero-shot --indices float32 int8

NDCG@10 and recall@100 of 300 test claims over 5,183 documents, of each way to keep the tokens: bytes a document, and
the seconds a query takes. 193 of the 300 are of documents that training claims are of, too: the other 107 stand beside
them. With `--documents` the corpus is the relevant documents and the first of the others: for a try alone. With
`--out`, what the file has of other variants, seeds and indices stays in it.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from text_data import documents, held_out, model_directory, relevant

import tfdual
from tfdual import ColumnSchema, Preprocessor, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.index import MaxSimIndex
from tfdual.metrics import ndcg, recall
from tfdual.models import LateInteractionModel
from tfdual.preprocessing import Passthrough, Vocabulary

DEPTH, ENCODED_AT_ONCE, SEARCHED_AT_ONCE, TIMED = 100, 256, 10, 20
QUERY, ITEM, ID, CLAIM = "claim", "text", "doc", "claim_id"
SCHEMA = Schema(
    [
        ColumnSchema(CLAIM, [Tags.USER_ID], dtype="string"),
        ColumnSchema(QUERY, [Tags.USER, Tags.TEXT], dtype="string"),
        ColumnSchema(ITEM, [Tags.ITEM, Tags.TEXT], dtype="string"),
        ColumnSchema(ID, [Tags.ITEM_ID], dtype="string"),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What the vectors are, and how they are trained."""

    dim: int | None = None
    augment: bool = False
    item_length: int = 256
    layers: int | None = None
    temperature: float = 1.0
    epochs: int = 0
    batch: int = 32
    rate: float = 2e-5


TUNED = Settings(dim=128, augment=True, layers=6, epochs=4, rate=3e-5)
VARIANTS = {"zero-shot": Settings(), "tuned": TUNED, "tuned, no projection": replace(TUNED, dim=None, augment=False)}
INDICES: dict[str, Callable[[], MaxSimIndex]] = {
    "float32": MaxSimIndex,
    "int8": lambda: MaxSimIndex(dtype="int8"),
    "residual, 4 bits": lambda: MaxSimIndex(dtype="residual", bits=4),
    "residual, 2 bits": lambda: MaxSimIndex(dtype="residual", bits=2),
    "residual, 1 bit": lambda: MaxSimIndex(dtype="residual", bits=1),
    "ScaNN, 2 bits": lambda: MaxSimIndex(tfdual.ScaNN(keep_embeddings=False), dtype="residual", bits=2),
}


class SciFact:
    """Documents, and claims of two parts: to train on, and to ask."""

    def __init__(self, folder: Path, valid: bool, count: int | None) -> None:
        ids, texts = documents(folder)
        claims = pq.read_table(folder / "queries.parquet").to_pydict()
        self.claims = dict(zip(claims["query_id"], claims["text"], strict=True))
        self.train, self.test = (relevant(folder, split) for split in ("train", "test"))
        if valid:
            self.train, self.test = held_out(self.train)
        right = {document for part in (self.train, self.test) for found in part.values() for document in found}
        kept = [place for place, name in enumerate(ids) if count is None or place < count or name in right]
        self.ids, self.texts = [ids[place] for place in kept], [texts[place] for place in kept]
        self._place = {name: place for place, name in enumerate(self.ids)}

    def pairs(self) -> tfdual.Rows:
        """A row for each training claim and each document that is right for it."""
        pairs = [(name, document) for name, right in self.train.items() for document in right]
        columns = {
            CLAIM: [name for name, _ in pairs],
            QUERY: [self.claims[name] for name, _ in pairs],
            ITEM: [self.texts[self._place[document]] for _, document in pairs],
            ID: [document for _, document in pairs],
        }
        return tfdual.read(columns, SCHEMA)

    def measured(self, ranked: np.ndarray) -> dict[str, float]:
        """Means over the claims to ask of positions of documents, `(claims, DEPTH)`."""
        right = [{self._place[document] for document in found} for found in self.test.values()]
        known = {document for found in self.train.values() for document in found}
        new = np.array([not known.issuperset(found) for found in self.test.values()])
        gains = np.array([[place in one for place in row] for row, one in zip(ranked.tolist(), right, strict=True)])
        counts = np.array([len(one) for one in right])
        gained = ndcg(gains, counts, 10)
        values = {"ndcg@10": gained, "ndcg@10, new": gained[new], "recall@100": recall(gains, counts, DEPTH)}
        return {name: round(float(np.mean(each)), 4) for name, each in values.items()}


def trained(data: SciFact, settings: Settings, seed: int, steps: int | None) -> LateInteractionModel:
    """The model of the settings; with no epoch, as its encoder is."""
    keras.utils.set_random_seed(seed)
    pairs = data.pairs()
    transforms = {QUERY: Passthrough(), ITEM: Passthrough(), ID: Vocabulary.of(data.ids)}
    prep = Preprocessor(pairs.schema, transforms).adapt(pairs)
    model = LateInteractionModel(
        prep.schema,
        TextEncoder.from_directory(model_directory()),
        dim=settings.dim,
        item_length=settings.item_length,
        augment=settings.augment,
        num_layers=settings.layers,
        temperature=settings.temperature,
        known_positives=CLAIM,
        sampling_correction=False,
    )
    if settings.epochs:
        batches = pairs.batch(settings.batch, shuffle=True, seed=seed).map(prep)
        wanted = settings.epochs * -(-len(pairs) // settings.batch)
        wanted = wanted if steps is None else min(steps, wanted)
        model.compile(tfdual.LazyAdam(keras.optimizers.schedules.CosineDecay(settings.rate, wanted)))
        model.fit(batches.repeat(), epochs=1, steps_per_epoch=wanted, verbose=0)
    return model


def item_vectors(model: LateInteractionModel, texts: list[str]) -> Iterator[np.ndarray]:
    """Blocks of `(documents, tokens, dim)`."""
    for start in range(0, len(texts), ENCODED_AT_ONCE):
        yield model.compiled_encode_item({ITEM: tf.constant(texts[start : start + ENCODED_AT_ONCE])}).numpy()


def searched(index: MaxSimIndex, queries: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions, and the median milliseconds of a query alone."""
    parts = np.array_split(queries, -(-len(queries) // SEARCHED_AT_ONCE))
    ranked = np.concatenate([index.search_positions(part, DEPTH)[0].numpy() for part in parts])
    index.search_positions(queries[:1], DEPTH)
    times = []
    for one in queries[:TIMED]:
        start = time.perf_counter()
        index.search_positions(one[None], DEPTH)
        times.append(time.perf_counter() - start)
    return ranked, round(1000 * float(np.median(times)), 2)


def main() -> None:
    """Train, build, search, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    held = "ask the claims of a fifth of the training documents, train on the others"
    parser.add_argument("--valid", action="store_true", help=held)
    parser.add_argument("--only", nargs="+", choices=[*VARIANTS], default=["zero-shot", "tuned"])
    parser.add_argument("--indices", nargs="+", choices=[*INDICES], default=[*INDICES])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="of the training, at most")
    parser.add_argument("--documents", type=int, help="for a try: fewer")
    parser.add_argument("--out", type=Path, help="JSON to write, or to add to")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    data = SciFact(data_folder("scifact", console), chosen.valid, chosen.documents)
    split = "claims of a fifth of the training documents, held out" if chosen.valid else "test"
    settings = {"split": split, "documents": len(data.ids), "steps": chosen.steps}
    runs: list[dict[str, Any]] = earlier_report(chosen.out, settings).get("runs", [])
    for name in chosen.only:
        for seed in chosen.seeds if VARIANTS[name].epochs else [0]:
            start = time.perf_counter()
            model = trained(data, VARIANTS[name], seed, chosen.steps)
            begun = time.perf_counter()
            blocks = list(item_vectors(model, data.texts))
            seconds = {"training": round(begun - start), "encoding": round(time.perf_counter() - begun)}
            asked = {QUERY: tf.constant([data.claims[claim] for claim in data.test])}
            queries = model.compiled_encode_query(asked).numpy()
            for kind in chosen.indices:
                start = time.perf_counter()
                index = INDICES[kind]().build(blocks)
                build = round(time.perf_counter() - start)
                ranked, milliseconds = searched(index, queries)
                run = {"variant": name, "seed": seed, "index": kind, **data.measured(ranked), **seconds, "build": build}
                described = index.describe()
                run |= {"bytes_per_document": described["bytes_per_item"], "milliseconds": milliseconds}
                run["tokens_per_document"] = round(described["tokens"] / described["items"], 1)
                told = name, seed, kind
                runs = [one for one in runs if (one["variant"], one["seed"], one["index"]) != told] + [run]
                console.print(run)
                del index
                if chosen.out:
                    write_report(chosen.out, "scifact_late_interaction", load_before, settings, runs=runs)
    console.print(table(runs))


def table(runs: list[dict[str, Any]]) -> Table:
    """All runs."""
    names = ("variant", "seed", "index", "ndcg@10", "ndcg@10, new", "recall@100", "bytes_per_document", "milliseconds")
    shown = Table(*names, title="SciFact by late interaction")
    for run in runs:
        shown.add_row(*(str(run[name]) for name in names))
    return shown


if __name__ == "__main__":
    main()
