"""Exact top 100 of the whole corpus: tfdual, TensorFlow Recommenders, and the matrix product alone.

Each variant has a process of its own. After a warm-up that is not counted, they take turns, one round each.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import evaluate_data
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table
from train_step import tfrs_python

OURS, METRIC, INDEX, PRODUCT = "tfdual, search", "TFRS, FactorizedTopK", "TFRS, BruteForce", "product"
SCRIPTS = {
    OURS: "evaluate_worker.py",
    "tfdual, evaluate": "evaluate_worker.py",
    METRIC: "evaluate_tfrs_worker.py",
    INDEX: "evaluate_tfrs_worker.py",
    PRODUCT: "evaluate_worker.py",
}
TARGETS = {METRIC: 15, INDEX: 3, PRODUCT: 0.6}
MEGABYTES = 3_000
AT_MOST = {METRIC: 400_000_000, INDEX: 1_600_000_000}  # scores a round of what is slow: a part of the queries
WARM_UP = 512


def queries_of(name: str, items: int, queries: int) -> int:
    """How many queries a round of the variant takes."""
    return max(1, min(queries, AT_MOST.get(name, items * queries) // items))


def summary(variants: list[Variant], items: int) -> dict[str, dict]:
    """Queries a second of each variant, and times those of the others in the same round.

    The recall is that of the warm-up, whose queries are the same for all.
    """
    speeds = {v.name: [report["queries"] / report["seconds"] for report in v.rounds] for v in variants}
    results = {}
    for variant in variants:
        speed, last = speeds[variant.name], variant.rounds[-1]
        results[variant.name] = {
            "queries": round(last["queries"]),
            "queries_per_second": spread(speed, 1),
            "queries_per_cpu_second": spread([report["queries"] / report["cpu"] for report in variant.rounds], 1),
            "multiply_adds_per_second": round(median(speed) * items * evaluate_data.DIM),
            "times": {
                base: spread([own / other for own, other in zip(speed, speeds[base], strict=True)], 3)
                for base in TARGETS
                if base in speeds
            },
            "peak_mb": last["peak_mb"],
            "versions": variant.versions,
        }
        if "recall" in last:
            results[variant.name]["recall"] = round(variant.warm_up["recall"], 4)
    return results


def spread(values: list[float], digits: int) -> dict[str, float]:
    """Median, least and greatest."""
    return {key: round(f(values), digits) for key, f in (("median", median), ("min", min), ("max", max))}


def table(title: str, results: dict[str, dict]) -> Table:
    """The results for people; `times` is to `FactorizedTopK`, `share` to the product."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in ("/ s", "/ CPU s", "times", "share", "recall", "MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        speeds = [result[key]["median"] for key in ("queries_per_second", "queries_per_cpu_second")]
        bases = [result["times"].get(base) for base in (METRIC, PRODUCT)]
        ratios = ["" if base is None else f"{base['median']:.2f}" for base in bases]
        recall = f"{result['recall']:.3f}" if "recall" in result else ""
        shown.add_row(name, *(f"{speed:,.0f}" for speed in speeds), *ratios, recall, f"{result['peak_mb']:,}")
    return shown


def judged(results: dict[str, dict]) -> list[str]:
    """The targets, and whether they are met."""
    ours = results[OURS]
    lines = [
        f"{OURS}: {ours['times'][base]['median']:.2f} times {base} "
        f"({'>=' if ours['times'][base]['median'] >= target else '<'} {target})"
        for base, target in TARGETS.items()
        if base in ours["times"]
    ]
    less = {name: result["queries"] for name, result in results.items() if result["queries"] < ours["queries"]}
    lines += [f"{name} took {count:,} of the {ours['queries']:,} queries a round" for name, count in less.items()]
    peak = ours["peak_mb"]
    return [*lines, f"{OURS}: {peak:,} MB at most ({'<=' if peak <= MEGABYTES else '>'} {MEGABYTES:,})"]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="100,000 queries on 1,000,000 items, one round")
    parser.add_argument("--items", type=int)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS), metavar="VARIANT")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    defaults = (1_000_000, 100_000, 1, "evaluate_large") if chosen.large else (200_000, 8_192, 3, "evaluate")
    for name, default in zip(("items", "queries", "rounds"), defaults, strict=False):
        setattr(chosen, name, default if getattr(chosen, name) is None else getattr(chosen, name))
    chosen.out = chosen.out or HERE / "results" / f"{defaults[-1]}.json"
    if chosen.items < evaluate_data.K or min(chosen.queries, chosen.rounds) < 1:
        parser.error(f"items must be at least {evaluate_data.K}; queries and rounds at least 1")
    return chosen


def commands_of(names: list[str], folder: Path, console: Console) -> dict[str, tuple[str, str]]:
    """Interpreter and script of each variant; without TensorFlow Recommenders where it can't be installed."""
    pythons: dict[str, str | None] = dict.fromkeys(names, sys.executable)
    if METRIC in names or INDEX in names:
        python = tfrs_python(Path(os.environ.get("TFDUAL_BENCH_ENVS", folder)), console)
        pythons |= {name: python for name in names if name in (METRIC, INDEX)}
    return {name: (python, SCRIPTS[name]) for name, python in pythons.items() if python}


def product_speed(variants: list[Variant], results: dict[str, dict]) -> dict[str, int]:
    """Multiply-adds a second of the product of the benchmark, and of one that stays in the cache."""
    for variant in variants:
        if variant.name == PRODUCT:
            cached = round(variant.warm_up["multiply_adds_in_cache"])
            return {"as measured": results[PRODUCT]["multiply_adds_per_second"], "in cache": cached}
    return {}


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    names = [name for name in SCRIPTS if name in chosen.only or name == OURS]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        commands = commands_of(names, folder, console)
        counts = {name: queries_of(name, chosen.items, chosen.queries) for name in commands}
        evaluate_data.write(folder, chosen.items, chosen.queries)
        told = {"rounds": chosen.rounds, "warm_up": min(WARM_UP, *counts.values()), "queries": counts}
        variants = measure(commands, told | {"path": str(folder), "batch": 0}, folder, console)
    results = summary(variants, chosen.items)
    adds = chosen.items * evaluate_data.DIM
    console.print(table(f"Top {evaluate_data.K} of {chosen.items:,} items: {adds:,} multiply-adds a query", results))
    for line in judged(results):
        console.print(line)
    speed = product_speed(variants, results)
    for place, value in speed.items():
        console.print(f"This machine's product, {place}: {value / 1e9:,.0f} billion multiply-adds a second")
    settings = {"items": chosen.items, "dim": evaluate_data.DIM, "k": evaluate_data.K} | told
    write_report(chosen.out, "evaluate", load_before, settings, targets=TARGETS, product=speed, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
