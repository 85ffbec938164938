"""BEIR SciFact: BM25, all-MiniLM-L6-v2 as it is, and both lists made one, by ranks and by scores; NDCG@10.

    python benchmarks/quality/scifact_hybrid.py [--vectors FILE] [--out FILE]

Title and abstract of 5,183 documents, 300 test claims. The weights, and the way in which scores are made comparable,
are chosen by NDCG@10 on the 809 training claims, of which neither BM25 nor MiniLM has seen any.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow.parquet as pq
from frozen_vectors import frozen_vectors
from quality_report import data_folder, write_report
from rich.console import Console
from rich.table import Table
from text_data import TOKENS, documents, relevant

from tfdual.index import BruteForce, Neighbours
from tfdual.metrics import bootstrap_interval, ndcg, paired_test, recall
from tfdual.ranking import BM25, ListFusion, ReciprocalRank, WeightedScores, choose_weight

PUBLISHED = 0.6874  # NDCG@10 of BM25
DEPTH, K = 100, 10
COMPARABLE: dict[str, dict[str, Any]] = {  # the dense list comes first
    "min-max": {},
    "min-max, from -1 and 0": {"minimums": (-1.0, 0.0)},
    "z-score": {"normalise": "z-score"},
}


class SciFact:
    """Documents in two indexes, and the claims of both splits."""

    def __init__(self, folder: Path, kept: Path | None) -> None:
        ids, texts = documents(folder)
        claims = pq.read_table(folder / "queries.parquet").to_pydict()
        self.claims = dict(zip(claims["query_id"], claims["text"], strict=True))
        self.right = {split: relevant(folder, split) for split in ("train", "test")}
        vectors = frozen_vectors({"documents": texts, "claims": list(self.claims.values())}, kept)
        self._vectors = dict(zip(self.claims, vectors["claims"], strict=True))
        self._dense = BruteForce().build(vectors["documents"], ids)
        self._words = BM25().build(texts, ids)

    def lists(self, split: str) -> tuple[Neighbours, Neighbours]:
        """MiniLM's list and BM25's of each claim of the split."""
        names = list(self.right[split])
        by_vector = self._dense.search(np.stack([self._vectors[name] for name in names]), DEPTH)
        by_word = self._words.search([self.claims[name] for name in names], DEPTH)
        return Neighbours(by_vector.ids.numpy(), by_vector.scores.numpy()), by_word

    def measured(self, split: str, ids: np.ndarray) -> dict[str, np.ndarray]:
        """A value a claim."""
        right = list(self.right[split].values())
        gains = np.array([[item in wanted for item in row] for row, wanted in zip(ids.tolist(), right, strict=True)])
        counts = np.array([len(wanted) for wanted in right])
        return {"ndcg@10": ndcg(gains, counts, K), "recall@100": recall(gains, counts, DEPTH)}


def chosen(data: SciFact) -> tuple[dict[str, ListFusion], dict[str, Any]]:
    """Fusions by rank and by score, the latter with the weights that are best on the training claims; and what was
    tried.
    """
    lists, right = data.lists("train"), list(data.right["train"].values())
    fusions: dict[str, ListFusion] = {"reciprocal rank": ReciprocalRank()}
    tried: dict[str, Any] = {}
    for name, options in COMPARABLE.items():
        weights, means = choose_weight(*lists, right, k=K, **options)
        fusions[f"weighted, {name}"] = WeightedScores(weights, **options)
        tried[name] = {"weight": weights[0], "ndcg@10": {str(weight): round(mean, 4) for weight, mean in means.items()}}
    return fusions, tried


def main() -> None:
    """Choose, evaluate, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="NPZ that keeps MiniLM's vectors for another run")
    parser.add_argument("--out", type=Path, help="JSON to write")
    arguments = parser.parse_args()
    console, load_before = Console(), os.getloadavg()[0]
    data = SciFact(data_folder("scifact", console), arguments.vectors)
    fusions, tried = chosen(data)
    start = time.perf_counter()
    by_vector, by_word = data.lists("test")
    seconds = {"both searches": time.perf_counter() - start}
    found = {"BM25": by_word.ids, "MiniLM": as_text(by_vector.ids)}
    for name, fusion in fusions.items():
        start = time.perf_counter()
        found[name] = fusion.fuse([by_vector, by_word], DEPTH).ids
        seconds[name] = time.perf_counter() - start
    values = {name: data.measured("test", ids) for name, ids in found.items()}
    runs = [run(name, values) for name in found]
    best = max(tried, key=lambda name: max(tried[name]["ndcg@10"].values()))
    console.print(table(runs))
    console.print(f"chosen on the training claims: weighted, {best}, MiniLM {tried[best]['weight']}")
    if arguments.out:
        settings = {"model": "all-MiniLM-L6-v2", "tokens": TOKENS, "depth": DEPTH, "published_bm25": PUBLISHED}
        milliseconds = {name: round(1_000 * taken / len(by_word.ids), 3) for name, taken in seconds.items()}
        results = {"chosen": f"weighted, {best}", "tried_on_train": tried, "runs": runs}
        write_report(
            arguments.out, "scifact_hybrid", load_before, settings, **results, milliseconds_a_query=milliseconds
        )


def as_text(ids: np.ndarray) -> np.ndarray:
    """Ids of bytes as `str`."""
    return np.char.decode(ids.astype(bytes), "utf-8")


def run(name: str, values: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """Means, the interval of NDCG, and tests against both halves."""
    own = values[name]
    kept: dict[str, Any] = {"method": name} | {metric: round(float(each.mean()), 4) for metric, each in own.items()}
    kept["interval"] = bootstrap_interval(own["ndcg@10"]).round(4).tolist()
    for other in ("BM25", "MiniLM"):
        if other != name:
            test = paired_test(own["ndcg@10"], values[other]["ndcg@10"])
            kept[f"to {other}"] = {
                "difference": round(test.difference, 4),
                "interval": [round(bound, 4) for bound in test.interval],
                "p": round(test.p_value, 4),
            }
    return kept


def table(runs: list[dict[str, Any]]) -> Table:
    """A row a method; differences with their 95 % intervals and p-values."""
    shown = Table("", "NDCG@10", "to BM25", "to MiniLM", "recall@100")
    shown.title = f"SciFact, test; published NDCG@10 of BM25: {PUBLISHED}"
    for one in runs:
        cells = ["{:.4f}\n{:.3f} to {:.3f}".format(one["ndcg@10"], *one["interval"])]
        for test in (one.get("to BM25"), one.get("to MiniLM")):
            low, high = test["interval"] if test else (0, 0)
            cells.append(f"{test['difference']:+.4f}, p {test['p']:.4f}\n{low:+.3f} to {high:+.3f}" if test else "")
        shown.add_row(one["method"], *cells, f"{one['recall@100']:.4f}")
    return shown


if __name__ == "__main__":
    main()
