"""One query at a time through an exported artefact, beside the bare ScaNN op of its index; and the cold start.

Each variant has a process of its own; they take turns, one round each. All but `Retriever.search` have TensorFlow and
scann alone; those in C++ run the graph in TensorFlow's C++ session, as TensorFlow Serving does, the others call it from
Python. The empty signature has the inputs of `serving_default` and does nothing: what a call from Python costs by
itself.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import index_data
import serving_data
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

BARE, EMPTY, SERVED, PYTHON = "bare op", "empty signature", "serving_default", "Retriever.search"
BARE_CPP, SERVED_CPP = f"{BARE}, C++", f"{SERVED}, C++"
ALONE, CPP = "serving_worker.py", "serving_cpp_worker.py"
SCRIPTS = {
    BARE_CPP: CPP,
    SERVED_CPP: CPP,
    BARE: ALONE,
    EMPTY: ALONE,
    SERVED: ALONE,
    "serving_examples": ALONE,
    "embed_query": ALONE,
    PYTHON: "serving_python_worker.py",
}
COLD = ("cold", "cold, warmed up")
WANTED = 1.5
LEAST_ITEMS = 20_000  # below, ScaNN is exact and has no op


def summary(variants: list[Variant]) -> dict[str, dict]:
    """Milliseconds, and the ratio of the medians to those of the bare op, called alike, in the same round."""
    rounds = {variant.name: variant.rounds for variant in variants}
    results = {}
    for variant in variants:
        bare = rounds[BARE_CPP if variant.name == SERVED_CPP else BARE]
        times = [one["p50_ms"] / other["p50_ms"] for one, other in zip(variant.rounds, bare, strict=True)]
        results[variant.name] = {
            "p50_ms": median(one["p50_ms"] for one in variant.rounds),
            "p99_ms": median(one["p99_ms"] for one in variant.rounds),
            "times": {"median": median(times), "min": min(times), "max": max(times)},
            "load_seconds": variant.warm_up["load_seconds"],
            "peak_mb": variant.rounds[-1]["peak_mb"],
            "rounds": variant.rounds,
            "versions": variant.versions,
        }
    return results


def cold_starts(settings: dict, folder: Path, count: int) -> dict[str, dict]:
    """Medians of fresh processes, one at a time: seconds to load and to warm up, milliseconds of the next request."""
    results = {}
    for name in COLD:
        reports = []
        for number in range(count):
            variant = Variant(name, sys.executable, ALONE, settings | {"rounds": 0}, folder / f"{name}-{number}.log")
            variant.stop()
            reports.append(variant.warm_up)
        keys = ("load_seconds", "warm_up_seconds", "first_ms")
        results[name] = {key: median(report[key] for report in reports) for key in keys}
    return results


def times_table(results: dict[str, dict], title: str) -> Table:
    """One query at a time."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "times", "least", "greatest", "load s", "MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        cells = [f"{result[key]:.2f}" for key in ("p50_ms", "p99_ms")]
        cells += [f"{result['times'][key]:.2f}" for key in ("median", "min", "max")]
        shown.add_row(name, *cells, f"{result['load_seconds']:.1f}", f"{result['peak_mb']:,}")
    return shown


def cold_table(results: dict[str, dict]) -> Table:
    """The first request of a process."""
    shown = Table(title="A fresh process", title_justify="left", box=box.SIMPLE)
    shown.add_column("start", no_wrap=True)
    for heading in ("load s", "warm-up s", "first request ms"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        shown.add_row(
            name, f"{result['load_seconds']:.2f}", f"{result['warm_up_seconds']:.2f}", f"{result['first_ms']:.1f}"
        )
    return shown


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=1_000, help="a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3, help="fresh processes for the cold start")
    parser.add_argument("--warm-up", type=int, default=8, help="requests before the first one that counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serving.json")
    chosen = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if chosen.items < LEAST_ITEMS or min(chosen.rounds, chosen.starts, chosen.warm_up) < 1:
        parser.error(f"items must be at least {LEAST_ITEMS}; rounds, starts and warm-up at least 1")
    if chosen.requests <= chosen.warm_up:
        parser.error("requests must be more than those of the warm-up")
    if not 1 <= chosen.threads <= cores:
        parser.error(f"threads are 1 to {cores}, the cores that are free to use")
    return chosen


def built(folder: Path, items: int, requests: int) -> dict:
    """In a process of its own: the peak memory of this one is where those of the workers start."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(serving_data.write, folder, items, requests).result()


def main() -> None:
    """Build, measure, print the tables, write JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.threads])  # the workers inherit it
    settings = {"items": chosen.items, "requests": chosen.requests, "rounds": chosen.rounds, "batch": 1}
    settings |= {"warm_up": chosen.warm_up, "threads": chosen.threads, "dim": index_data.DIM, "k": index_data.K}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with console.status("Building the index, and exporting ..."):
            index = built(folder, chosen.items, chosen.requests)
        told = settings | {"path": temporary}
        variants = measure({name: (sys.executable, script) for name, script in SCRIPTS.items()}, told, folder, console)
        with console.status("Starting cold ..."):
            cold = cold_starts(told, folder, chosen.starts)
    results = summary(variants)
    judged = []
    for name, beside in ((SERVED_CPP, BARE_CPP), (SERVED, BARE)):
        times = results[name]["times"]
        judged.append({"variant": name, "beside": beside, "wanted": WANTED, "times": times})
        judged[-1]["met"] = times["median"] <= WANTED
    added = median(
        one["p50_ms"] - other["p50_ms"]
        for one, other in zip(results[PYTHON]["rounds"], results[SERVED]["rounds"], strict=True)
    )
    console.print(times_table(results, f"{chosen.items:,} items, one query at a time, {chosen.threads} threads"))
    console.print(cold_table(cold))
    for one in judged:
        ranges = f"{one['times']['median']:.2f} times ({one['times']['min']:.2f} to {one['times']['max']:.2f})"
        verdict = "met" if one["met"] else "NOT met"
        console.print(f"{one['variant']} beside {one['beside']}: {ranges}, wanted {WANTED}: {verdict}")
    console.print(f"Python around {SERVED}, in Retriever.search: {added:.2f} ms")
    more = {"judged": judged, "python_ms": added, "cold": cold, "index": index, "results": results}
    write_report(chosen.out, "serving", load_before, settings, **more)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
