"""One tower of 78 columns by tfdual's blocks and by plain Keras 3: the first call, and the time of a step.

Each variant has a process of its own. After a warm-up that is not counted, they take turns, one round each. The first
call is measured in several fresh processes.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import blocks_columns
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

BASELINES = {"tfdual": "Keras", "Keras": "Keras", "tfdual, SGD": "Keras, SGD", "Keras, SGD": "Keras, SGD"}
TARGETS = {"step": 1.05, "first_call": 1.5}
TOLERANCE = 1e-5


def check(settings: dict, folder: Path, console: Console) -> dict[str, float]:
    """How far output and gradients of the two towers are apart, where they have the same weights.

    Raises:
        AssertionError: further than rounding explains.
    """
    told = settings | {"rounds": 0}
    (variant,) = measure({"the same weights": (sys.executable, "blocks_check.py")}, told, folder, console)
    apart = {name: variant.warm_up[name] for name in ("output", "gradient")}
    if max(apart.values()) > TOLERANCE:
        raise AssertionError(f"The towers don't compute the same: with the same weights they differ by {apart}.")
    return apart


def summary(runs: list[list[Variant]]) -> dict[str, dict]:
    """Milliseconds of a step, from the last run, and seconds of the first call, from all; ratios turn by turn."""
    steps = {variant.name: [report["milliseconds"] for report in variant.rounds] for variant in runs[-1]}
    warm_ups = [{variant.name: variant.warm_up for variant in run} for run in runs]
    first = {
        key: {name: [warm_up[name][key] for warm_up in warm_ups] for name in steps} for key in ("build", "first_call")
    }
    results = {}
    for variant in runs[-1]:
        name, baseline = variant.name, BASELINES[variant.name]
        results[name] = {
            "step_milliseconds": spread(steps[name], 1),
            "step_ratio": spread(ratios(steps[name], steps[baseline]), 3),
            "first_call_seconds": spread(first["first_call"][name], 2),
            "first_call_ratio": spread(ratios(first["first_call"][name], first["first_call"][baseline]), 3),
            "build_seconds": spread(first["build"][name], 2),
            "graph_nodes": round(variant.warm_up["nodes"]),
            "peak_mb": variant.rounds[-1]["peak_mb"],
            "versions": variant.versions,
        }
    return results


def ratios(own: list[float], baseline: list[float]) -> list[float]:
    """Each figure over the baseline's of the same turn."""
    return [a / b for a, b in zip(own, baseline, strict=True)]


def spread(values: list[float], digits: int) -> dict[str, float]:
    """Median, least and greatest."""
    return {key: round(f(values), digits) for key, f in (("median", median), ("min", min), ("max", max))}


def step_table(results: dict[str, dict]) -> Table:
    """The steps, for people."""
    shown = _table("Milliseconds of a step", "median", "least", "most", "times", "MB")
    for name, result in results.items():
        times = judged(name, result["step_ratio"]["median"], TARGETS["step"])
        figures = (f"{result['step_milliseconds'][key]:.1f}" for key in ("median", "min", "max"))
        shown.add_row(name, *figures, times, f"{result['peak_mb']:,}")
    return shown


def first_call_table(results: dict[str, dict]) -> Table:
    """The first calls, for people."""
    shown = _table("Seconds of the first call", "median", "least", "most", "times", "graph nodes", "build")
    for name, result in results.items():
        times = judged(name, result["first_call_ratio"]["median"], TARGETS["first_call"])
        figures = (f"{result['first_call_seconds'][key]:.2f}" for key in ("median", "min", "max"))
        shown.add_row(name, *figures, times, f"{result['graph_nodes']:,}", f"{result['build_seconds']['median']:.2f}")
    return shown


def _table(title: str, *headings: str) -> Table:
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    return shown


def judged(name: str, ratio: float, target: float) -> str:
    """The ratio to the baseline, and whether it is within the target."""
    if name == BASELINES[name]:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} {'<=' if ratio <= target else '>'} {target}"


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--batches", type=int, default=8, help="distinct batches, used in turn")
    parser.add_argument("--steps", type=int, default=20, help="steps of each round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=5, help="fresh processes in which the first call is measured")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "blocks.json")
    chosen = parser.parse_args()
    if min(chosen.batch, chosen.batches, chosen.steps, chosen.rounds, chosen.processes) < 1:
        parser.error("batch, batches, steps, rounds and processes must be at least 1")
    return chosen


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    settings = {name: getattr(chosen, name) for name in ("batch", "batches", "steps", "rounds", "processes")}
    commands = dict.fromkeys(BASELINES, (sys.executable, "blocks_worker.py"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for place in range(chosen.batches):
            blocks_columns.write(folder / f"{place}.npz", chosen.batch, seed=place)
        told = settings | {"path": str(folder)}
        apart = check(told, folder, console)
        turns = [commands, dict(reversed(commands.items()))]  # who comes first takes turns as well
        alone = [turns[place % 2] for place in range(1, chosen.processes)]
        runs = [measure(turn, told | {"rounds": 0}, folder, console) for turn in alone]
        runs.append(measure(commands, told, folder, console))
    results = summary(runs)
    console.print(step_table(results))
    console.print(first_call_table(results))
    console.print(f"With the same weights: outputs within {apart['output']:.0e}, gradients {apart['gradient']:.0e}.")
    settings["columns"] = {name: len(columns) for name, columns in blocks_columns.KINDS.items()}
    write_report(chosen.out, "blocks", load_before, settings, targets=TARGETS, apart=apart, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
