"""Time of a training step with small and with huge embedding tables, of the same batch.

    python benchmarks/table_rows.py [--rows 10000 10000000] [--steps 40] [--rounds 5] [--out FILE]
    python benchmarks/table_rows.py --rows 5000 10000 --steps 2 --rounds 1 --out /tmp/smoke.json     # does it run?

A step that touches the rows of its batch alone takes the same time whatever the table holds, but for the caches.
No id stands twice in a batch, so that both tables have as many rows to update.
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

WORKER = "table_rows_worker.py"


def summary(variants: list[Variant], steps: int) -> dict[str, dict]:
    """Milliseconds a step, and times the first variant, round by round."""
    times = {variant.name: [1000 * report["seconds"] / steps for report in variant.rounds] for variant in variants}
    first = times[variants[0].name]
    return {
        variant.name: {
            "ms_per_step": round(median(times[variant.name]), 2),
            "times_the_first": round(median([o / f for o, f in zip(times[variant.name], first, strict=True)]), 3),
            "ms_by_round": [round(one, 1) for one in times[variant.name]],
            "peak_mb": variant.rounds[-1]["peak_mb"],
            "versions": variant.versions,
        }
        for variant in variants
    }


def table(results: dict[str, dict]) -> Table:
    """The results for people."""
    shown = Table("rows of each id table", "ms a step", "times", "MB", title="A step of 4,096 pairs", box=box.SIMPLE)
    for name, result in results.items():
        shown.add_row(
            f"{int(name):,}",
            f"{result['ms_per_step']:.1f}",
            f"{result['times_the_first']:.2f}",
            f"{result['peak_mb']:,}",
        )
    return shown


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 10_000_000])
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "table_rows.json")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    if chosen.batch > min(chosen.rows):
        parser.error(f"--batch {chosen.batch} needs as many different ids, and a table has {min(chosen.rows)} rows.")
    settings = {"path": "", "batch": chosen.batch, "steps": chosen.steps, "rounds": chosen.rounds}
    commands = {str(rows): (sys.executable, WORKER) for rows in chosen.rows}
    with tempfile.TemporaryDirectory() as folder:
        variants = measure(commands, settings, Path(folder), console)
    results = summary(variants, chosen.steps)
    console.print(table(results))
    write_report(chosen.out, "table_rows", load_before, settings, results=results)


if __name__ == "__main__":
    main()
