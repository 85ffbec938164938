"""What each architecture costs: poly-encoder, late interaction, graph encoder and text, beside what they are held to.

    python benchmarks/architectures.py [--rounds 5] [--only poly maxsim graph text] [--out FILE]
    python benchmarks/architectures.py --rounds 1 --candidates 5000 --documents 64 --out /tmp/smoke.json  # does it run?

Batch 1 where a query is asked. Runs take turns; a ratio is the median of those within a round, and `least` that of the
shortest times, which a busy machine changes least. `all processors`: the time of all threads, waiting left out.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import graph_propagation as graph
import numpy as np
import tensorflow as tf
from architectures_dialogue import BI, CHAT, POLY, SCORE, Asked, chat_runs, score_runs, tokens_of, unit
from architectures_text import FORWARD, TOKENISED, WHOLE, padding, text_runs
from architectures_times import Run, at_least, at_most, in_turns, judged_table, times_table
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table
from text_data import documents

from tfdual.index import MaxSimIndex
from tfdual.interactions import MaxSim

CODES, DIMS = 64, (64, 384)
DOCUMENTS, TOKENS, WIDTH, VECTORS = 1_000, 180, 128, 32
LAYERS, EMBEDDING = 3, 64
TIMES_BI, SHARE_OF_PRODUCTS, TIMES_SCIPY, TIMES_FORWARD = 5.0, 0.5, 1.0, 1.0
PRODUCTS, MAX_SIM, MAX_SIM_INDEX = "matrix product", "MaxSim", "MaxSimIndex, the best 10"
Part = tuple[dict[str, Any], list[dict[str, Any]]]


def poly(chosen: argparse.Namespace, console: Console) -> Part:
    """Cached candidates for one dialogue, with the encoding of it and without."""
    asked = Asked.read(chosen.data / "mutual", chosen.candidates)
    results: dict[str, Any] = {"tokens": tokens_of(asked)}
    judged = []
    for dim in DIMS:
        made = {SCORE: score_runs(chosen.candidates, dim, CODES), CHAT: chat_runs(asked, dim, CODES)}
        for what, runs in made.items():
            times, name = in_turns(runs, chosen.rounds), f"{what}, dim {dim}"
            results[name] = times.summary()
            judged.append(at_most(f"{POLY}, times {BI}: {name}", times.ratio(POLY, BI), TIMES_BI))
            title = f"{chosen.candidates:,} cached candidates, {CODES} codes, {results['tokens']} tokens: {name}"
            console.print(times_table(title, results[name]))
    return results, judged


def max_sim_runs() -> dict[str, Run]:
    """MaxSim of one query with all documents, the index's search, and the product of all vectors alone."""
    items, query = unit((DOCUMENTS, TOKENS, WIDTH), 0), unit((1, VECTORS, WIDTH), 1)
    rows, columns = tf.constant(items.reshape(-1, WIDTH)), tf.constant(np.ascontiguousarray(query[0].T))
    given, asked = tf.constant(items), tf.constant(query)
    product = tf.function(lambda: tf.matmul(rows, columns), autograph=False)
    among = tf.function(lambda: MaxSim().among(asked, given), autograph=False)
    index = MaxSimIndex().build(items)
    wanted = np.einsum("ntd,vd->nvt", items, query[0]).max(axis=2).sum(axis=1)
    found = index.search_positions(asked, 10)[1].numpy()[0]
    off = max(np.abs(among().numpy()[0] - wanted).max(), np.abs(found - np.sort(wanted)[:-11:-1]).max())
    if not off < 1e-4:
        raise SystemExit(f"MaxSim gives something else than NumPy: up to {off} off.")
    return {
        PRODUCTS: lambda: product()[0, 0].numpy(),
        MAX_SIM: lambda: among().numpy(),
        MAX_SIM_INDEX: lambda: index.search_positions(asked, 10)[0].numpy(),
    }


def max_sim(chosen: argparse.Namespace, console: Console) -> Part:
    """Late interaction beside its products."""
    times = in_turns(max_sim_runs(), chosen.rounds)
    results = times.summary()
    title = f"{DOCUMENTS:,} documents of {TOKENS} tokens x {WIDTH}, {VECTORS} vectors of a query"
    console.print(times_table(title, results))
    names = (MAX_SIM, MAX_SIM_INDEX)
    judged = [
        at_least(f"{name}: share of the product's speed", times.ratio(PRODUCTS, name), SHARE_OF_PRODUCTS)
        for name in names
    ]
    return results, judged


def propagation(chosen: argparse.Namespace, console: Console) -> Part:
    """Three layers of LightGCN over Gowalla."""
    users, items = graph.gowalla(chosen.data / "gowalla")
    matrix = graph.symmetric(users, items)
    start = np.random.default_rng(0).normal(size=(matrix.shape[0], EMBEDDING)).astype(np.float32)
    runs = {
        graph.SCIPY: graph.scipy_run(matrix, start, LAYERS, both=False),
        graph.OURS: graph.ours_run(users, items, start, LAYERS, both=False),
    }
    results = graph.measured(runs, chosen.rounds)
    title = f"LightGCN, {matrix.nnz:,} edges, {LAYERS} layers, dim {EMBEDDING}"
    console.print(graph.shown(results, title))
    ours, scipy = results[graph.OURS], results[graph.SCIPY]
    found = {"median": ours["times"], "of_least": round(scipy["least"] / ours["least"], 3)}
    return results, [at_least("LightGCN, times the speed of scipy's CSR", found, TIMES_SCIPY)]


def text(chosen: argparse.Namespace, console: Console) -> Part:
    """SciFact's texts through MiniLM: tokeniser and padding."""
    _, texts = documents(chosen.data / "scifact", chosen.documents)
    times = in_turns(text_runs(texts), chosen.rounds, calls=1)
    results = times.summary()
    for one in results.values():
        one["documents_a_second"] = round(1e3 * len(texts) / one["ms"], 1)
    console.print(times_table(f"{len(texts):,} documents of SciFact, 256 tokens", results))
    padded = padding(texts)
    console.print(padding_table(padded))
    beyond = sum(one["beyond_the_bucket"] for one in list(padded.values())[:-1])
    judged = [
        at_least("tokeniser, times the forward's documents/s", times.ratio(FORWARD, TOKENISED), TIMES_FORWARD),
        at_most("tokeniser's share of texts to vectors", times.ratio(TOKENISED, WHOLE), 0.5),
        at_most("padding beyond the length bucket, places", {"median": beyond, "of_least": beyond}, 0),
    ]
    return {"times": results, "padding": padded}, judged


def padding_table(padded: dict[str, dict[str, float]]) -> Table:
    """For people."""
    table = Table("padding", box=box.SIMPLE)
    for heading in ("of all places", "beyond the bucket"):
        table.add_column(heading, justify="right")
    for name, one in padded.items():
        table.add_row(name, f"{one['share']:.1%}", f"{one['beyond_the_bucket']:,}")
    return table


PARTS: dict[str, Callable[[argparse.Namespace, Console], Part]] = {
    "poly": poly,
    "maxsim": max_sim,
    "graph": propagation,
    "text": text,
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="parts")
    parser.add_argument("--candidates", type=int, default=100_000, help="that a poly-encoder scores")
    parser.add_argument("--documents", type=int, default=200, help="texts to tokenise and encode")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "architectures.json")
    chosen = parser.parse_args()
    chosen.data = Path(os.environ.get("TFDUAL_DATA", HERE.parents[1] / "shared" / "data"))
    needed = {"poly": "mutual", "graph": "gowalla", "text": "scifact"}
    for part in chosen.only:
        if part in needed and not (chosen.data / needed[part]).exists():
            parser.error(f"there is no {chosen.data / needed[part]}; set TFDUAL_DATA to the folder that holds it")
    if min(chosen.rounds, chosen.candidates, chosen.documents) < 1:
        parser.error("rounds, candidates and documents must be at least 1")
    return chosen


def main() -> None:
    """Measure, print the tables, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    results, judged = {}, []
    for name in chosen.only:
        results[name], found = PARTS[name](chosen, console)
        judged += found
    console.print(judged_table(judged))
    settings = {"rounds": chosen.rounds, "candidates": chosen.candidates, "documents": chosen.documents, "codes": CODES}
    write_report(chosen.out, "architectures", load_before, settings, judged=judged, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
