"""The in-batch loss with its gradients: tfdual's blocks, and the whole score matrix in plain TensorFlow.

Each variant has a process of its own. After a warm-up that is not counted, they take turns, one round each. The peak
memory of a large batch is measured in fresh processes.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

BASELINES = {
    "whole matrix": "whole matrix",
    "tfdual": "whole matrix",
    "tfdual, unknown size": "whole matrix",
    "whole matrix, ids": "whole matrix, ids",
    "tfdual, ids": "whole matrix, ids",
    "tfdual, ids, unknown size": "whole matrix, ids",
    "tfdual, distinct items": "whole matrix, ids",
}
PRODUCTS = "products"
TOLERANCE = 1e-4
MOST_GB_OF_A_MATRIX = 2


def variants(batch: int) -> list[str]:
    """Those that fit: the whole-matrix form holds several matrices at once."""
    fits = 4 * batch**2 <= MOST_GB_OF_A_MATRIX * 2**30
    return [name for name in BASELINES if fits or name.startswith("tfdual")]


def run(names: list[str], settings: dict, console: Console) -> list[Variant]:
    """Each variant in a process of its own, taking turns."""
    with tempfile.TemporaryDirectory() as temporary:
        commands = dict.fromkeys(names, (sys.executable, "in_batch_loss_worker.py"))
        return measure(commands, settings | {"path": temporary}, Path(temporary), console)


def check(run: list[Variant]) -> None:
    """Whether variants that are compared give one loss.

    Raises:
        AssertionError: they differ by more than rounding explains.
    """
    for baseline in set(BASELINES.values()):
        found = {one.name: one.warm_up["loss"] for one in run if BASELINES.get(one.name) == baseline}
        if found and max(found.values()) - min(found.values()) > TOLERANCE * max(found.values()):
            raise AssertionError(f"The variants don't compute the same loss: {found}.")


def summary(run: list[Variant]) -> dict[str, dict]:
    """Milliseconds of a step; how many times faster than the baseline, and the products' share, both turn by turn."""
    times = {one.name: [report["milliseconds"] for report in one.rounds] for one in run}
    results = {}
    for one in run:
        own, baseline = times[one.name], times.get(BASELINES.get(one.name, one.name))
        results[one.name] = {
            "milliseconds": {key: round(f(own), 2) for key, f in (("median", median), ("min", min), ("max", max))},
            "times_faster": round(ratio(baseline, own), 2) if baseline else None,
            "share_of_products": round(ratio(times[PRODUCTS], own), 2),
            "peak_mb": one.rounds[-1]["peak_mb"],
            "versions": one.versions,
        }
    return results


def ratio(left: list[float], right: list[float]) -> float:
    """Median over the turns of `left` by `right`."""
    return median(a / b for a, b in zip(left, right, strict=True))


def work(batch: int, dim: int) -> dict[str, float]:
    """What a step has to do: its three products, and the passes over the scores: written, softmax, read twice."""
    return {"multiply_adds": 3 * batch**2 * dim, "bytes_of_scores": 5 * 4 * batch**2}


def step_table(batch: int, dim: int, results: dict[str, dict]) -> Table:
    """The steps of one batch size, for people."""
    counts = work(batch, dim)
    title = f"Batch {batch:,} x {dim}: {counts['multiply_adds'] / 1e9:.2f}e9 multiply-adds, "
    title += f"{counts['bytes_of_scores'] / 1e9:.2f} GB of scores moved"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in ("ms", "least", "most", "faster", "share", "MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        figures = (figure(result["milliseconds"][key]) for key in ("median", "min", "max"))
        times = "" if result["times_faster"] is None else f"{result['times_faster']:.2f}"
        shown.add_row(name, *figures, times, f"{result['share_of_products']:.0%}", f"{result['peak_mb']:,}")
    return shown


def figure(value: float) -> str:
    """Three digits or more."""
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def memory_table(batch: int, peaks: dict[str, int]) -> Table:
    """The peaks of a large batch, for people."""
    title = f"Peak memory at batch {batch:,}; the whole matrix alone has {4 * batch**2 / 2**20:,.0f} MB"
    shown = Table("variant", title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("MB of the process, TensorFlow included", justify="right")
    for name, peak in peaks.items():
        shown.add_row(name, f"{peak:,}")
    return shown


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1_024, 4_096, 16_384])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="steps of each round; fewer where the batch is large")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", type=int, default=65_536, help="batch size of the memory measurement; 0: none")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "in_batch_loss.json")
    chosen = parser.parse_args()
    if min(*chosen.batches, chosen.dim, chosen.steps, chosen.rounds) < 1 or chosen.memory < 0:
        parser.error("batches, dim, steps and rounds must be at least 1, memory at least 0")
    return chosen


def main() -> None:
    """Measure, print the tables, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    settings = {name: getattr(chosen, name) for name in ("dim", "steps", "rounds", "memory")}
    results, peaks = {}, {}
    for batch in chosen.batches:
        told = settings | {"batch": batch, "steps": max(2, min(chosen.steps, chosen.steps * 4_096**2 // batch**2))}
        measured = run([*variants(batch), PRODUCTS], told, console)
        check(measured)
        results[batch] = work(batch, chosen.dim) | {"variants": summary(measured)}
        console.print(step_table(batch, chosen.dim, results[batch]["variants"]))
    if chosen.memory:
        names = [name for name in BASELINES if name.startswith("tfdual")]
        measured = run(names, settings | {"batch": chosen.memory, "rounds": 0}, console)
        peaks = {one.name: one.warm_up["peak_mb"] for one in measured}
        console.print(memory_table(chosen.memory, peaks))
    write_report(chosen.out, "in_batch_loss", load_before, settings, results=results, peak_mb=peaks)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
