"""Approximate search side by side: tfdual in Python and served, scann, Faiss, TensorFlow Recommenders.

Each variant has a process of its own. They build one after the other; then they take turns, one round each.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import index_data
from harness import HERE, Variant, measure, write_report
from index_curves import MILLISECONDS, SPEED, Comparison, Points, points_of, variant_summary
from index_environments import faiss_python, tfrs_scann_python
from index_picture import draw
from rich import box
from rich.console import Console
from rich.table import Table

RECALLS = ("0.90", "0.95", "0.99")
TUNED, PYBIND, SERVED = "tfdual ScaNN ", "its pybind alone ", "its SavedModel "
EXAMPLE = "scann, its example"
EXACT = ("tfdual BruteForce float32", "tfdual BruteForce int8", "TFRS BruteForce")
OTHERS = {
    EXAMPLE: "index_scann_worker.py",
    "faiss HNSW": "index_faiss_worker.py",
    "faiss IVF-PQ": "index_faiss_worker.py",
    "TFRS ScaNN": "index_tfrs_worker.py",
    EXACT[0]: "index_worker.py",
    EXACT[1]: "index_worker.py",
    EXACT[2]: "index_tfrs_worker.py",
}
SERVED_TIMES = 0.95
BATCH = 256
ALONE, EXACT_ALONE = 256, 16  # queries a round, one at a time
EXACT_SCORES = 500_000_000  # a round of exact search: a part of the queries
LEAST_ITEMS = 20_000  # tfdual's ScaNN is exact below


def scripts(recalls: list[str], others: list[str]) -> dict[str, str]:
    """Name -> script; an index is built and exported before it is served, and the two are neighbours in a round."""
    pairs = [((TUNED + one, "index_worker.py"), (SERVED + one, "index_served_worker.py")) for one in recalls]
    return dict(pair for both in pairs for pair in both) | {name: OTHERS[name] for name in OTHERS if name in others}


def commands_of(names: dict[str, str], folder: Path, console: Console) -> dict[str, tuple[str, str]]:
    """Interpreter and script of each variant; without those whose packages can't be installed."""
    environments = Path(os.environ.get("TFDUAL_BENCH_ENVS", folder))
    makers = {"index_faiss_worker.py": faiss_python, "index_tfrs_worker.py": tfrs_scann_python}
    wanted = set(names.values())
    pythons = {script: make(environments, console) for script, make in makers.items() if script in wanted}
    own = {name: (pythons.get(script, sys.executable), script) for name, script in names.items()}
    return {name: command for name, command in own.items() if command[0]}


def counts_of(name: str, items: int, queries: int) -> tuple[int, int]:
    """How many queries a round of the variant takes, in batches and alone."""
    if name not in EXACT:
        return queries, min(queries, ALONE)
    return max(1, min(queries, EXACT_SCORES // items // BATCH * BATCH or BATCH)), min(queries, EXACT_ALONE)


def rounds_of(variants: list[Variant]) -> dict[str, list[Points]]:
    """The points of each round; a tuned index's second one is scann's searcher alone, and a variant of its own."""
    rounds = {}
    for variant in variants:
        points = [points_of(report) for report in variant.rounds]
        if variant.name.startswith(TUNED):
            rounds[variant.name] = [one[:1] for one in points]
            rounds[PYBIND + variant.name.removeprefix(TUNED)] = [one[1:] for one in points]
        else:
            rounds[variant.name] = points
    return rounds


def compared(rounds: dict[str, list[Points]], target: str) -> tuple[dict, list[dict]]:
    """At the recall that tfdual reaches for a target: every variant, and whether what is wanted is met."""
    tuned, pybind, served = (name + target for name in (TUNED, PYBIND, SERVED))
    comparison = Comparison(rounds, tuned, pybind, served)
    names = [name for name in rounds if name in (tuned, pybind, served) or name in OTHERS]
    rows = {name: comparison.at(name, float(target)) for name in names}
    pairs = (
        (served, pybind, SERVED_TIMES),
        (served, tuned, SERVED_TIMES),
        (tuned, EXAMPLE, 1.0),
        (pybind, EXAMPLE, 1.0),
    )
    verdicts = [verdict(comparison, *pair) for pair in pairs if pair[1] in rounds]
    return {"recall": round(comparison.recall, 4), "variants": rows}, verdicts


def verdict(comparison: Comparison, name: str, other: str, wanted: float) -> dict:
    """Whether one variant is as fast as wanted beside another at the same recall."""
    times = comparison.ratio(name, other)
    about = {"variant": name, "beside": other, "recall": round(comparison.recall, 4), "wanted": wanted}
    return about | {"times": times, "met": None if times is None else times["median"] >= wanted}


def build_table(items: int, results: dict[str, dict]) -> Table:
    """What it takes to build, or to load."""
    shown = Table(title=f"{items:,} items of {index_data.DIM} numbers", title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in ("build s", "MB", "settings", "recall from", "to"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        recalls = [point["recall"] for point in result["points"]]
        ends = [f"{value:.3f}" for value in (min(recalls), max(recalls))]
        shown.add_row(name, f"{result['build_seconds']:.1f}", f"{result['peak_mb']:,}", str(len(recalls)), *ends)
    return shown


def recall_table(target: str, compared: dict) -> Table:
    """Speeds at a target; `times` compares at the recall that tfdual reaches for it."""
    reached = f"{compared['recall']:.3f}"
    title = f"Recall@{index_data.K} of {target}; tfdual reaches {reached}, and `times` compares there"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    shown.add_column("variant", no_wrap=True)
    for heading in (f"/s at {target}", f"/s at {reached}", "times", "one: ms", "times"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, row in compared["variants"].items():
        first, equal = row["at_target"], row["at_equal_recall"]
        cells = [f"{first[SPEED]:,.0f}" if first else ""]
        if equal:
            cells += [f"{equal[SPEED]['median']:,.0f}", f"{equal['times']['median']:.2f}"]
            cells += [f"{equal[MILLISECONDS]['median']:.2f}", f"{equal['times_alone']['median']:.1f}"]
        shown.add_row(name, *cells)
    return shown


def sentence(verdict: dict) -> str:
    """The verdict for people."""
    pair = f"{verdict['variant']} beside {verdict['beside']} at recall {verdict['recall']:.3f}"
    if verdict["times"] is None:
        return f"{pair}: one of them does not reach it"
    middle, least, greatest = (f"{verdict['times'][key]:.2f}" for key in ("median", "min", "max"))
    met = "met" if verdict["met"] else "NOT met"
    return f"{pair}: {middle} times ({least} to {greatest}), wanted {verdict['wanted']}: {met}"


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=4_096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recalls", nargs="+", choices=RECALLS, default=list(RECALLS))
    parser.add_argument("--others", nargs="*", choices=list(OTHERS), default=list(OTHERS), metavar="VARIANT")
    parser.add_argument("--tuned-on", choices=("items", "queries"), default="items", help="what tfdual is tuned on")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "index.json")
    chosen = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if chosen.items < LEAST_ITEMS or min(chosen.queries, chosen.rounds) < 1:
        parser.error(f"items must be at least {LEAST_ITEMS}; queries and rounds at least 1")
    if not 1 <= chosen.threads <= cores:
        parser.error(f"threads are 1 to {cores}, the cores that are free to use")
    return chosen


def measured(chosen: argparse.Namespace, console: Console) -> tuple[list[Variant], dict]:
    """The variants, and what they were told."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        commands = commands_of(scripts(chosen.recalls, chosen.others), folder, console)
        with console.status("Drawing vectors, and finding the exact answers ..."):
            write_data(folder, chosen.items, chosen.queries)
        counts = {name: counts_of(name, chosen.items, chosen.queries) for name in commands}
        settings = {"rounds": chosen.rounds, "queries": counts, "batch": BATCH}
        settings |= {"threads": chosen.threads, "tuned_on": chosen.tuned_on}
        return measure(commands, settings | {"path": str(folder)}, folder, console), settings


def write_data(folder: Path, items: int, queries: int) -> None:
    """In a process of its own: the peak memory of this one is where those of the workers start."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(index_data.write, folder, items, queries).result()


def main() -> None:
    """Measure, print the tables, write JSON and picture."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.threads])  # the workers inherit it
    variants, settings = measured(chosen, console)
    rounds = rounds_of(variants)
    results = {variant.name: variant_summary(variant, rounds[variant.name]) for variant in variants}
    targets, verdicts = {}, []
    console.print(build_table(chosen.items, results))
    for target in chosen.recalls:
        targets[target], more = compared(rounds, target)
        verdicts += more
        console.print(recall_table(target, targets[target]))
    for one in verdicts:
        console.print(sentence(one), soft_wrap=True)
    about = {"items": chosen.items, "dim": index_data.DIM, "k": index_data.K} | settings
    write_report(chosen.out, "index", load_before, about, judged=verdicts, targets=targets, results=results)
    picture = chosen.out.with_suffix(".png")
    title = f"{chosen.items:,} items of {index_data.DIM} numbers, {chosen.threads} threads"
    written = [chosen.out, picture] if draw(results, title, picture) else [chosen.out]
    console.print(f"Written: {' and '.join(str(path) for path in written)}", soft_wrap=True)


if __name__ == "__main__":
    main()
