"""BEIR SciFact, not trained: all-MiniLM-L6-v2 through `TextEncoder`, beside the published NDCG@10.

    python benchmarks/quality/scifact_text.py [--out FILE]

Title and abstract, 256 tokens; 300 test queries; the cosine over all 5,183 documents. In float32, and with products in
bfloat16, which is faster where the processor multiplies such numbers (AVX512-BF16, AMX).
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from quality_report import data_folder, write_report
from rich.console import Console
from text_data import TOKENS, documents, model_directory, relevant

import tfdual
from tfdual import ColumnSchema, Schema
from tfdual.evaluation import EvaluationReport, evaluate_rankings
from tfdual.features import TextEncoder

PUBLISHED, CLOSE = 0.6451, 0.003  # NDCG@10, on the MTEB leaderboard
DEPTH = 100
DTYPES = ("float32", "mixed_bfloat16")
NAMES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
QUERIES = Schema([ColumnSchema("query", dtype="string"), ColumnSchema("relevant", dtype="string", is_list=True)])


def test_queries(scifact: Path) -> tfdual.Rows:
    """Texts, and the ids of the relevant documents."""
    texts = dict(
        pq.read_table(scifact / "queries.parquet", columns=["query_id", "text"]).to_pandas().itertuples(index=False)
    )
    right = relevant(scifact, "test")
    return tfdual.read({"query": [texts[name] for name in right], "relevant": list(right.values())}, QUERIES)


def report_of(scifact: Path, dtype: str) -> tuple[EvaluationReport, float]:
    """The evaluation, and the seconds that the documents took."""
    encoder = TextEncoder.from_directory(model_directory(), dtype=dtype)
    encode = tf.function(lambda texts: tf.cast(encoder(texts), tf.float32), autograph=False)
    queries = test_queries(scifact)
    ids, texts = documents(scifact)
    asked = encode(next(iter(queries.batch(len(queries))))["query"]).numpy()
    start = time.perf_counter()
    vectors = encode(tf.constant(texts)).numpy()
    seconds = time.perf_counter() - start
    scores = asked @ vectors.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    items = np.array([name.encode() for name in ids], object)
    return evaluate_rankings(items[best], queries, items, "relevant", (10, DEPTH)), seconds


def main() -> None:
    """Evaluate, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON to write")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    scifact, runs = data_folder("scifact", console), {}
    for dtype in DTYPES:
        report, seconds = report_of(scifact, dtype)
        runs[dtype] = {name: report[name] for name in NAMES} | {"seconds": round(seconds, 1)}
        console.print(f"{dtype}: " + "  ".join(f"{name} {report[name]:.4f}" for name in NAMES) + f"  {seconds:.0f} s")
        apart = abs(report["ndcg@10"] - PUBLISHED)
        met = "met" if apart <= CLOSE else "NOT met"
        console.print(f"published {PUBLISHED}: {apart:.4f} apart, wanted <= {CLOSE}: {met}")
    if chosen.out:
        settings = {"model": "all-MiniLM-L6-v2", "tokens": TOKENS, "published": PUBLISHED}
        write_report(chosen.out, "scifact_text", load_before, settings, runs=runs)


if __name__ == "__main__":
    main()
