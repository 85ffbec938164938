"""Documents a second: all-MiniLM-L6-v2 on SciFact, by tfdual, KerasHub and sentence-transformers, beside bare products.

    python benchmarks/text_encoding.py [--documents 1000] [--rounds 3] [--out FILE]
    python benchmarks/text_encoding.py --documents 20 --rounds 1 --out /tmp/smoke.json          # does it run?
    python benchmarks/text_encoding.py --parity           every document once: how far vectors are apart, and no times

Title and abstract, 256 tokens; raw text in, vectors out. In float32 but for the variant whose products are in bfloat16,
which is faster where the processor multiplies such numbers (AVX512-BF16, AMX). sentence-transformers has an environment
of its own, in a temporary folder or in `$TFDUAL_BENCH_ENVS`.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from harness import HERE, Variant, measure, write_report
from index_environments import sentence_transformers_python
from rich import box
from rich.console import Console
from rich.table import Table
from text_data import documents, model_directory

OURS, HALF, PEER, LIMIT = "tfdual", "tfdual, mixed_bfloat16", "sentence-transformers", "its products alone"
OWN = "text_encoding_worker.py"
TIMES, PARITY = 2.0, 1e-4
BATCH = 32  # sentence-transformers' own


def measured(chosen: argparse.Namespace, console: Console) -> tuple[list[Variant], dict[str, float], dict]:
    """The variants, how far vectors are from those of the peer at most, and what the workers were told."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _, texts = documents(chosen.scifact, chosen.documents)
        (folder / "texts.json").write_text(json.dumps(texts))
        python = sentence_transformers_python(Path(os.environ.get("TFDUAL_BENCH_ENVS", folder)), console)
        names = (OURS, HALF) if chosen.parity else (OURS, HALF, "KerasHub", LIMIT)
        commands = dict.fromkeys(names, (sys.executable, OWN))
        if python:
            commands[PEER] = (python, "text_encoding_torch_worker.py")
        settings = {"rounds": chosen.rounds, "batch": BATCH, "threads": chosen.threads, "documents": len(texts)}
        paths = {"path": str(folder), "model": str(model_directory())}
        variants = measure(commands, settings | paths, folder, console)
        vectors = {name: np.load(folder / f"{name}.npy") for name in commands if name != LIMIT}
    apart = {name: float(abs(rows - vectors[PEER]).max()) for name, rows in vectors.items()} if python else {}
    return variants, apart, settings


def summary(variants: list[Variant], count: int, apart: dict[str, float]) -> dict[str, dict]:
    """Medians over the rounds, and ratios within a round."""
    seconds = {variant.name: [one["seconds"] for one in variant.rounds] for variant in variants}

    def times(name: str, other: str) -> float | None:
        if other not in seconds:
            return None
        return round(median(theirs / own for own, theirs in zip(seconds[name], seconds[other], strict=True)), 3)

    return {
        variant.name: {
            "documents_a_second": round(count / median(seconds[variant.name]), 2),
            "seconds": [round(one, 2) for one in seconds[variant.name]],
            "times_the_peer": times(variant.name, PEER),
            "share_of_the_limit": times(variant.name, LIMIT),
            "apart_from_the_peer": apart.get(variant.name),
            "peak_mb": max(one["peak_mb"] for one in variant.rounds),
            "versions": variant.versions,
        }
        for variant in variants
    }


def table(results: dict[str, dict]) -> Table:
    """For people."""
    shown = Table(
        "", "documents/s", f"times {PEER}", "of the products' speed", "greatest difference", "MB", box=box.SIMPLE
    )
    for name, row in results.items():
        cells = [row["documents_a_second"], row["times_the_peer"], row["share_of_the_limit"], row["peak_mb"]]
        rate, times, share, peak = ("" if cell is None else f"{cell:,}" for cell in cells)
        apart = row["apart_from_the_peer"]
        shown.add_row(name, rate, times, share, "" if apart is None else f"{apart:.1e}", peak)
    return shown


def verdicts(results: dict[str, dict]) -> list[dict]:
    """Whether what is wanted is met."""
    ours = results[OURS]
    if ours["times_the_peer"] is None:
        return []
    return [
        {
            "what": f"{OURS} beside {PEER}, times",
            "found": ours["times_the_peer"],
            "wanted": f">= {TIMES}",
            "met": ours["times_the_peer"] >= TIMES,
        },
        {
            "what": "greatest difference of a number",
            "found": ours["apart_from_the_peer"],
            "wanted": f"<= {PARITY}",
            "met": ours["apart_from_the_peer"] <= PARITY,
        },
    ]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("TFDUAL_DATA", HERE.parents[1] / "shared" / "data"))
    parser.add_argument("--scifact", type=Path, default=data / "scifact", help="folder of corpus.parquet")
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parity", action="store_true", help="all documents, no times; writes nothing")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "text_encoding.json")
    chosen = parser.parse_args()
    chosen.threads = len(os.sched_getaffinity(0))
    if chosen.parity:
        chosen.documents, chosen.rounds = None, 0
    elif min(chosen.documents, chosen.rounds) < 1:
        parser.error("documents and rounds must be at least 1")
    if not (chosen.scifact / "corpus.parquet").exists():
        parser.error(f"there is no {chosen.scifact}/corpus.parquet; set TFDUAL_DATA, or pass --scifact")
    return chosen


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    variants, apart, settings = measured(chosen, console)
    if chosen.parity:
        for name in (OURS, HALF) if apart else ():
            console.print(f"{name}: at most {apart[name]:.1e} from {PEER}, of {settings['documents']:,} documents")
        return
    results = summary(variants, settings["documents"], apart)
    judged = verdicts(results)
    console.print(table(results))
    for one in judged:
        met = "met" if one["met"] else "NOT met"
        console.print(f"{one['what']}: {one['found']:.3g}, wanted {one['wanted']}: {met}", soft_wrap=True)
    write_report(chosen.out, "text_encoding", load_before, settings, judged=judged, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
