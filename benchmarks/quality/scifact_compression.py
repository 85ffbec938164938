"""SciFact: three frozen vectors a document, 1,152 numbers, made shorter without labels; NDCG@10 that is kept.

The parts are MiniLM of the title, MiniLM of the text, and latent semantic analysis of both (384 numbers each). A query
passes the same encoder: its parts are MiniLM of the claim, twice, and the analysis of the claim. The compressor learns
which documents are nearest to each document, to its title and to four sentences of it, taken as if they were queries.
Settings, the weights of the parts among them, were chosen on the training queries.

    python benchmarks/quality/scifact_compression.py                    the chosen settings, on test, three seeds
    python benchmarks/quality/scifact_compression.py --train            on the training queries, to choose settings
    python benchmarks/quality/scifact_compression.py --train --variants every setting that was tried
"""

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from frozen_vectors import frozen_vectors
from quality_report import data_folder, write_report
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from text_data import relevant

from tfdual.index import BruteForce
from tfdual.losses import similarity_distillation
from tfdual.metrics import bootstrap_interval, ndcg, paired_test
from tfdual.tailoring.compression import (
    PCA,
    EmbeddingCompressor,
    RandomProjection,
    mixed_rows,
    mlp_encoder,
    normalized_encoder,
)
from tfdual.tailoring.compression.compression_picture import draw_kept
from tfdual.tailoring.compression.parts import concatenated

WIDTHS = (32, 64, 128, 256, 384, 512)
LSA_WIDTH, K = 384, 10
MOST_SENTENCES = 4
BEST_PCA = "PCA, without the mean, our weights"
Parts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """How a compressor is trained."""

    encoder: Callable[[], keras.layers.Layer] | None = None
    loss: Callable[..., Any] | None = None  # the compressor's own
    weights: Mapping[str, float] | None = None  # of the parts
    width_weights: tuple[float, ...] | None = None
    from_pca: bool = True
    pseudo_queries: bool = True
    searched: bool = True  # whether neighbours are sought among all documents, or in the batch
    mixed: bool = False
    sentences: int = 4  # of a document, taken for queries
    steps: int = 300
    batch: int = 512
    rate: float = 3e-3


CHOSEN = Settings(weights={"lsa": 0.5, "text": 1.0, "title": 0.4}, width_weights=(1, 1, 3, 1, 1, 3))
VARIANTS = {
    "chosen": CHOSEN,
    "similarity distillation": replace(CHOSEN, loss=similarity_distillation),
    "all parts weigh the same": replace(CHOSEN, weights=None),
    "all widths weigh the same": replace(CHOSEN, width_weights=None),
    "from random weights": replace(CHOSEN, from_pca=False),
    "mixed rows": replace(CHOSEN, mixed=True),
    "neighbours in a batch of 1,024": replace(CHOSEN, searched=False, batch=1_024),
    "one sentence": replace(CHOSEN, sentences=1, steps=150),
    "one sentence, twice as long": replace(CHOSEN, sentences=1),
    "the documents alone": replace(CHOSEN, pseudo_queries=False, searched=False, batch=1_024),
    "one hidden layer": replace(CHOSEN, encoder=lambda: mlp_encoder([768, 512]), from_pca=False, rate=1e-3),
    "two hidden layers": replace(CHOSEN, encoder=lambda: mlp_encoder([1_152, 768, 512]), from_pca=False, rate=1e-3),
    "normalised": replace(CHOSEN, encoder=lambda: normalized_encoder(512), from_pca=False, rate=1e-3),
}


class SciFact:
    """Frozen vectors of documents, of what is taken for queries, and of the claims of a split with their documents."""

    def __init__(self, folder: Path, split: str, kept: Path | None) -> None:
        corpus, claims = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("corpus", "queries"))
        drawn = [some_sentences(text, row) for row, text in enumerate(corpus["text"])]
        sentences = [sentence for some in drawn for sentence in some]
        texts = {"titles": corpus["title"], "texts": corpus["text"], "sentences": sentences, "claims": claims["text"]}
        vectors = frozen_vectors(texts, kept)
        whole = [f"{title} {text}" for title, text in zip(corpus["title"], corpus["text"], strict=True)]
        analyse = analysis(whole)
        chosen = [row for row, part in enumerate(claims["split"]) if part == split]

        def as_query(name: str, rows: Any = slice(None)) -> Parts:
            analysed = analyse(np.array(texts[name], object)[rows].tolist())
            return {"lsa": analysed, "text": vectors[name][rows], "title": vectors[name][rows]}

        self.documents = {"lsa": analyse(whole), "text": vectors["texts"], "title": vectors["titles"]}
        self._titles, self._sentences = as_query("titles"), as_query("sentences")
        self._place = np.concatenate([np.arange(len(some)) for some in drawn])  # of each among its document's
        self.queries = as_query("claims", chosen)
        place = {document: row for row, document in enumerate(corpus["doc_id"])}
        right = relevant(folder, split)
        self.relevant = [[place[document] for document in right[claims["query_id"][row]]] for row in chosen]

    def pseudo(self, sentences: int = MOST_SENTENCES) -> Parts:
        """Titles, and so many sentences of each document, as queries."""
        first = self._place < sentences
        return joined([self._titles, {name: part[first] for name, part in self._sentences.items()}])


def analysis(texts: list[str]) -> Callable[[list[str]], np.ndarray]:
    """Latent semantic analysis of these texts: from texts to vectors."""
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    reduced = TruncatedSVD(LSA_WIDTH, random_state=0).fit(words.fit_transform(texts))
    return lambda texts: reduced.transform(words.transform(texts)).astype(np.float32)


def some_sentences(text: str, seed: int) -> list[str]:
    """Up to four sentences of more than 40 characters, in an order of the seed; the text where there is none."""
    long = [sentence for sentence in text.split(". ") if len(sentence) > 40]
    return np.random.default_rng(seed).permutation(long)[:MOST_SENTENCES].tolist() if long else [text]


def joined(several: list[Parts]) -> Parts:
    """The rows of several, one after another; without those that a part has no vector for."""
    parts = {name: np.concatenate([one[name] for one in several]) for name in several[0]}
    some = np.all([part.any(axis=1) for part in parts.values()], axis=0)
    return {name: part[some] for name, part in parts.items()}


def trained(data: SciFact, settings: Settings, seed: int) -> EmbeddingCompressor:
    """A compressor of the documents; it sees no claim and no judgement."""
    keras.utils.set_random_seed(seed)
    rows = joined([data.documents, data.pseudo(settings.sentences)]) if settings.pseudo_queries else data.documents
    encoder = settings.encoder() if settings.encoder else None
    compressor = EmbeddingCompressor(
        WIDTHS[-1], encoder, None, WIDTHS, settings.width_weights, settings.weights, settings.loss
    )
    if settings.from_pca:
        compressor.start_from_pca(rows)
    if settings.mixed:
        rows = joined([rows, mixed_rows(rows, len(rows["text"]), seed)])
    epochs = -(-settings.steps * settings.batch // len(rows["text"]))
    queries = None
    if settings.searched:
        rows, queries = data.documents, {name: part[len(data.documents[name]) :] for name, part in rows.items()}
    rate = keras.optimizers.schedules.CosineDecay(settings.rate, settings.steps)
    compressor.compile(keras.optimizers.Adam(rate, epsilon=1e-10))
    compressor.fit(rows, queries=queries, epochs=epochs, batch_size=settings.batch, verbose=0)
    return compressor


def gained(data: SciFact, items: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """NDCG@10 of each query."""
    found = BruteForce("cosine").build(items).search_positions(tf.constant(queries), K)[0].numpy()
    gains = np.stack([np.isin(row, wanted) for row, wanted in zip(found, data.relevant, strict=True)])
    return ndcg(gains, np.array([len(wanted) for wanted in data.relevant]), K)


def side_by_side(parts: Parts, weights: Mapping[str, float] | None = None) -> np.ndarray:
    """The parts side by side, each of the length of its weight, or 1."""
    return np.concatenate(list(concatenated(parts, weights)))


def closed_form(data: SciFact) -> dict[str, dict[int, np.ndarray]]:
    """NDCG@10 of each query at each width, of what no gradient learns; of all parts alike, and as we weigh them."""
    kept = {}
    for suffix, weights in (("", None), (", our weights", CHOSEN.weights)):
        documents, pseudo, queries = (side_by_side(p, weights) for p in (data.documents, data.pseudo(), data.queries))
        dim = WIDTHS[-1]
        for name, projection in {
            "PCA": PCA(dim).fit(documents),
            "PCA, without the mean": PCA(dim, center=False).fit(documents),
            "PCA, of the pseudo queries too, without the mean": PCA(dim, center=False).fit([documents, pseudo]),
            "random projection": RandomProjection(dim).fit(documents),
        }.items():
            cut = {width: [projection.encode(rows, width) for rows in (documents, queries)] for width in WIDTHS}
            kept[name + suffix] = {width: gained(data, *both) for width, both in cut.items()}
    return kept


def learned(data: SciFact, settings: Settings, seed: int) -> dict[int, np.ndarray]:
    """NDCG@10 of each query at each width."""
    compressor = trained(data, settings, seed)
    return {
        width: gained(data, *(compressor.encode(rows, width) for rows in (data.documents, data.queries)))
        for width in WIDTHS
    }


def entry(
    name: str,
    values: Mapping[int, np.ndarray],
    full: np.ndarray,
    seed: int | None = None,
    pca: Mapping[int, np.ndarray] | None = None,
) -> dict[str, Any]:
    """What is kept of a method: by width NDCG@10, its share of the full, its interval, and tests of the differences."""
    found: dict[str, dict[str, Any]] = {}
    for width, ndcgs in values.items():
        test = paired_test(ndcgs, full)
        found[str(width)] = {
            "ndcg@10": float(ndcgs.mean()),
            "kept": float(ndcgs.mean() / full.mean()),
            "interval": bootstrap_interval(ndcgs).tolist(),
            "difference": test.difference,
            "difference_interval": list(test.interval),
            "p_value": test.p_value,
        }
        if pca is not None:
            beside = paired_test(ndcgs, pca[width])
            found[str(width)]["over_pca"] = beside.difference
            found[str(width)]["over_pca_interval"] = list(beside.interval)
    return {"method": name, "seed": seed, "widths": found}


def main() -> None:
    """Train, evaluate, print a table, write JSON and a picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="on the training queries, to choose settings")
    parser.add_argument("--variants", action="store_true", help="every setting that was tried, with the first seed")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--vectors", type=Path, help="NPZ that keeps MiniLM's vectors for another run")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    arguments = parser.parse_args()
    console, load_before = Console(), os.getloadavg()[0]
    split = "train" if arguments.train else "test"
    data = SciFact(data_folder("scifact", console), split, arguments.vectors)
    full = gained(data, side_by_side(data.documents), side_by_side(data.queries))
    weighed = gained(data, *(side_by_side(parts, CHOSEN.weights) for parts in (data.documents, data.queries)))
    runs = [entry("all numbers, our weights", dict.fromkeys(WIDTHS, weighed), full)]
    closed = closed_form(data)
    runs += [entry(name, values, full) for name, values in closed.items()]
    whole = {"ndcg@10": float(full.mean()), "interval": bootstrap_interval(full).tolist(), "queries": len(full)}
    settings = {"split": split, "chosen": repr(CHOSEN)}
    names, seeds = (list(VARIANTS), arguments.seeds[:1]) if arguments.variants else (["chosen"], arguments.seeds)
    for name in names:
        for seed in seeds:
            values = learned(data, VARIANTS[name], seed)
            runs.append(entry(f"learned: {name}", values, full, seed, closed[BEST_PCA]))
            console.print(runs[-1]["method"], seed, {w: round(v["kept"], 4) for w, v in runs[-1]["widths"].items()})
            if arguments.out:
                write_report(arguments.out, "scifact_compression", load_before, settings, full=whole, runs=runs)
    if arguments.picture:
        draw(runs, arguments.picture)
    console.print(table(runs, whole))


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """The share that is kept over the width; of several seeds the mean."""
    chosen = ["learned: chosen", BEST_PCA, "PCA, without the mean", "random projection"]
    points = {}
    for name in chosen:
        found = [one["widths"] for one in runs if one["method"] == name]
        kept = np.mean([[widths[str(width)]["kept"] for width in WIDTHS] for widths in found], axis=0)
        points[name.removesuffix(": chosen")] = list(zip(WIDTHS, kept.tolist(), strict=True))
    draw_kept(points, "share of NDCG@10 kept", "SciFact: of three vectors, 1,152 numbers together", path)


def table(runs: list[dict[str, Any]], whole: dict[str, Any]) -> Table:
    """NDCG@10 and the share kept, a row a method."""
    title = f"SciFact, {whole['queries']} queries: NDCG@10 {whole['ndcg@10']:.4f} of all 1,152 numbers"
    shown = Table("", *map(str, WIDTHS), title=title)
    for one in runs:
        cells = [f"{found['ndcg@10']:.4f} ({found['kept']:.1%})" for found in one["widths"].values()]
        shown.add_row(one["method"] + ("" if one["seed"] is None else f", seed {one['seed']}"), *cells)
    return shown


if __name__ == "__main__":
    main()
