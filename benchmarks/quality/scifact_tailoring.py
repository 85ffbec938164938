"""SciFact: frozen document vectors of MiniLM, and what 809 training claims gain without embedding a document again.

    python benchmarks/quality/scifact_tailoring.py             every variant, on test, three seeds
    python benchmarks/quality/scifact_tailoring.py --valid     on training claims of held-out documents, to choose
    python benchmarks/quality/scifact_tailoring.py --only scale --seeds 0

Recall and NDCG of 300 test claims over 5,183 documents; differences to the frozen vectors with 95 % intervals over the
claims. 193 of the 300 are of documents that training claims are of, too, many as the contrary of one of these: so the
other 107, of documents that are new, stand beside them.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from quality_report import cells_of, data_folder, write_report
from rich.console import Console
from rich.table import Table
from text_data import documents, held_out, model_directory, relevant

import tfdual
from tfdual import BruteForce, ColumnSchema, InputBlock, Preprocessor, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.metrics import ndcg, paired_test, recall
from tfdual.negatives import Catalogue, InBatch, MinedNegatives, Uniform
from tfdual.preprocessing import Passthrough, Vocabulary
from tfdual.ranking import BM25
from tfdual.tailoring import (
    DeepReranker,
    FrozenItemModel,
    FrozenItems,
    LinearTransform,
    LowRankTransform,
    OrthogonalTransform,
    ScaleTransform,
    reranking_lists,
)
from tfdual.tailoring.query_transform import QueryTransform
from tfdual.towers import BertTower

WIDTH, DEPTH = 384, 100
NEW = "ndcg@10, new documents"
Ranked = np.ndarray  # positions of documents, (claims, DEPTH)


@dataclass(frozen=True)
class Settings:
    """How a query tower is trained."""

    transform: Callable[[], QueryTransform] | None = None
    layers: int = 0  # of the text encoder, from the last
    temperature: float = 0.05
    uniform: int = 1_024
    mined: int = 0
    epochs: int = 5
    batch: int = 64
    rate: float = 1e-3


TRANSFORM = Settings()
TEXT = replace(TRANSFORM, layers=2, rate=5e-5, epochs=3)
VARIANTS = {
    "scale": replace(TRANSFORM, transform=lambda: ScaleTransform(l2=1e-3)),
    "low rank": replace(TRANSFORM, transform=lambda: LowRankTransform(16, l2=1e-3, seed=0)),
    "linear": replace(TRANSFORM, transform=lambda: LinearTransform(l2=1e-3), rate=3e-4),
    "orthogonal": replace(TRANSFORM, transform=lambda: OrthogonalTransform(l2=1e-3), rate=3e-4),
    "query tower, 2 layers": TEXT,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "re-ranker": {},
    "re-ranker, interactions": {"interactions": True},
    "re-ranker, residual": {"interactions": True, "residual": True, "dropout": 0.3},
}


class SciFact:
    """Documents as frozen vectors, and claims of two parts: to train on, and to ask."""

    def __init__(self, folder: Path, valid: bool) -> None:
        self.ids, self.texts = documents(folder)
        claims = pq.read_table(folder / "queries.parquet").to_pydict()
        texts = dict(zip(claims["query_id"], claims["text"], strict=True))
        train, test = (relevant(folder, split) for split in ("train", "test"))
        if valid:
            train, test = held_out(train)
        self.encoder = TextEncoder.from_directory(model_directory())
        encode = tf.function(lambda texts: self.encoder(texts))
        vectors = encode(tf.constant(list(texts.values()))).numpy()
        self.vectors = dict(zip(texts, vectors, strict=True))
        self.claims, self.train, self.test = texts, train, test
        self.items = FrozenItems(self.ids, encode(tf.constant(self.texts)).numpy(), "all-MiniLM-L6-v2")
        self.index = self.items.index(BruteForce())
        self._place = {name: place for place, name in enumerate(self.ids)}

    def columns(self, names: list[str]) -> dict[str, Any]:
        """Of these claims: text and vector."""
        vectors = np.stack([self.vectors[name] for name in names])
        return {"text": [self.claims[name] for name in names], "claim": vectors}

    def pairs(self) -> tfdual.Rows:
        """A row for each training claim and each document that is right for it, with the document's vector."""
        pairs = [(name, document) for name, right in self.train.items() for document in right]
        names, documents = (list(part) for part in zip(*pairs, strict=True))
        columns = self.columns(names)
        columns = {"claim_id": names, "doc": documents, "text": columns["text"], "claim": columns["claim"].tolist()}
        schema = Schema(
            [
                ColumnSchema("claim_id", [Tags.USER_ID], dtype="string"),
                ColumnSchema("doc", [Tags.ITEM_ID], dtype="string"),
                ColumnSchema("text", [Tags.USER, Tags.TEXT], dtype="string"),
                ColumnSchema("claim", [Tags.USER], dtype="float32", dims=(None, WIDTH)),
            ]
        )
        return tfdual.data.join(tfdual.read(columns, schema), self.items.rows("doc"), on="doc")

    def right(self) -> list[set[int]]:
        """Positions of the documents that are right for each claim to ask."""
        return [{self._place[document] for document in right} for right in self.test.values()]

    def new(self) -> np.ndarray:
        """Which claims to ask are of a document that no training claim is of, `(claims,)` bool."""
        known = {document for right in self.train.values() for document in right}
        return np.array([not known.issuperset(right) for right in self.test.values()])


def tuned(data: SciFact, settings: Settings, seed: int) -> FrozenItemModel:
    """A query tower, trained."""
    keras.utils.set_random_seed(seed)
    pairs = data.pairs()
    prep = Preprocessor(pairs.schema, {"doc": Vocabulary.of(data.ids), "text": Passthrough()}).adapt(pairs)
    rows = data.items.rows("doc")
    of_items = Preprocessor(rows.schema, {"doc": Vocabulary.of(data.ids)}).adapt(rows)
    catalogue = Catalogue(rows.batch(1_024).map(of_items), "doc")
    sources = InBatch() + Uniform(settings.uniform, seed=seed).adapt(catalogue)
    if settings.mined:
        found = MinedNegatives(settings.mined, ranks=(0, 50), seed=seed)
        sources += found.adapt(catalogue, data.index.search_positions, "doc")
    if settings.transform is None:
        encoder = TextEncoder.from_directory(model_directory())
        tower = BertTower(prep.schema.select_by_name("text"), encoder, num_layers=settings.layers)
    else:
        claim = InputBlock(prep.schema.select_by_name("claim"), aggregation="concat")
        tower = claim.connect(settings.transform())
    model = FrozenItemModel(
        prep.schema,
        tower,
        data.items.space,
        temperature=settings.temperature,
        negatives=sources,
        known_positives="claim_id",
    )
    steps = settings.epochs * -(-len(pairs) // settings.batch)
    model.compile(tfdual.LazyAdam(keras.optimizers.schedules.CosineDecay(settings.rate, steps)))
    batches = pairs.batch(settings.batch, shuffle=True, seed=seed).map(prep)
    model.fit(batches, epochs=settings.epochs, verbose=0)
    return model


def asked(data: SciFact, model: FrozenItemModel) -> np.ndarray:
    """Vectors of the claims to ask, `(claims, WIDTH)`."""
    columns = data.columns(list(data.test))
    return np.asarray(model.encode_query({name: tf.constant(values) for name, values in columns.items()}))


def found_by(data: SciFact, vectors: np.ndarray) -> Ranked:
    """What the index, as it is, finds."""
    return data.index.search_positions(vectors, DEPTH)[0].numpy()


def reranked(data: SciFact, seed: int, **arguments: Any) -> Ranked:
    """The frozen vectors' hundred, in the order of a network."""
    keras.utils.set_random_seed(seed)
    names = list(data.train)
    claims = data.columns(names)["claim"]
    lists = reranking_lists(
        claims, [data.train[name] for name in names], data.items, data.index, hard=50, seed=seed, query="claim"
    )
    model = DeepReranker("claim", **arguments)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(lists, epochs=3 if arguments.get("residual") else 10, verbose=0)
    claims = data.columns(list(data.test))["claim"]
    candidates = found_by(data, claims)
    scores = np.asarray(model({"claim": claims, "vector": data.items.vectors[candidates]}))
    return np.take_along_axis(candidates, np.argsort(-scores, axis=1, kind="stable"), axis=1)


def measured(right: list[set[int]], new: np.ndarray, ranked: Ranked) -> dict[str, np.ndarray]:
    """A value a claim; of claims of new documents also apart."""
    gains = np.array([[place in wanted for place in row] for row, wanted in zip(ranked.tolist(), right, strict=True)])
    counts = np.array([len(wanted) for wanted in right])
    values = {"ndcg@10": ndcg(gains, counts, 10), "recall@100": recall(gains, counts, DEPTH)}
    return values | {NEW: values["ndcg@10"][new]}


def main() -> None:
    """Train, evaluate, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    held = "ask the claims of a fifth of the training documents, train on the others"
    parser.add_argument("--valid", action="store_true", help=held)
    parser.add_argument("--only", nargs="+", choices=[*VARIANTS, *NETWORKS], help="variants")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER", help="settings to change")
    parser.add_argument("--out", type=Path, help="JSON to write")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in chosen.set)}
    data = SciFact(data_folder("scifact", console), chosen.valid)
    right, new = data.right(), data.new()
    frozen = measured(right, new, found_by(data, data.columns(list(data.test))["claim"]))
    words = BM25().build(data.texts).search_positions(data.columns(list(data.test))["text"], DEPTH).positions
    runs = [run("frozen", 0, frozen, frozen, 0.0), run("BM25", 0, measured(right, new, words), frozen, 0.0)]
    for name in chosen.only or [*VARIANTS, *NETWORKS]:
        for seed in chosen.seeds:
            start = time.perf_counter()
            if name in NETWORKS:
                ranked = reranked(data, seed, **NETWORKS[name])
            else:
                ranked = found_by(data, asked(data, tuned(data, replace(VARIANTS[name], **changes), seed)))
            runs.append(run(name, seed, measured(right, new, ranked), frozen, time.perf_counter() - start))
            console.print(f"{name}, seed {seed}: {runs[-1]['ndcg@10']['mean']:.4f}, {runs[-1]['seconds']} s")
            if chosen.out:
                split = "claims of a fifth of the training documents, held out" if chosen.valid else "test"
                write_report(chosen.out, "scifact_tailoring", load_before, {"split": split}, runs=runs)
    console.print(table(runs, chosen.valid))


def run(name: str, seed: int, found: dict, frozen: dict, seconds: float) -> dict[str, Any]:
    """What is kept of a run."""
    kept: dict[str, Any] = {"variant": name, "seed": seed, "seconds": round(seconds)}
    for metric, values in found.items():
        test = paired_test(values, frozen[metric])
        kept[metric] = {"mean": round(test.first, 4), "difference": round(test.difference, 4)}
        kept[metric] |= {"interval": [round(bound, 4) for bound in test.interval], "p": round(test.p_value, 4)}
    return kept


def table(runs: list[dict[str, Any]], valid: bool) -> Table:
    """All runs; an asterisk where the interval of the difference excludes zero."""
    metrics = ("ndcg@10", NEW, "recall@100")
    shown = Table("", "seed", *(heading for metric in metrics for heading in (metric, "to frozen", "95 %")), "s")
    shown.title = f"SciFact, {'held-out training claims' if valid else 'test'}; document vectors untouched"
    for one in runs:
        shown.add_row(one["variant"], str(one["seed"]), *cells_of(one, metrics), str(one["seconds"]))
    return shown


if __name__ == "__main__":
    main()
