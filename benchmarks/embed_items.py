"""Items through the item tower to a folder and to an index, beside the bare forward of the tower over ready batches.

Each variant has a process of its own; those of one tower take turns.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from embed_items_worker import BATCH, TOWERS, VARIANTS, write_items
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

NAMES = {
    "forward": "forward of ready batches",
    "read": "reading and preprocessing alone",
    "embed": "embed_items",
    "again": "embed_items of a whole folder",
    "index": "BruteForce of the folder",
}
SHARE, MOST_MB = 0.8, 3_000
SECONDS, PROCESSOR = "seconds", "processor_seconds"


def share(rounds: dict[str, list[dict]], part: Callable[[dict[str, dict]], float]) -> dict[str, float]:
    """Median, least and greatest of a number of each round."""
    together = [dict(zip(rounds, one, strict=True)) for one in zip(*rounds.values(), strict=True)]
    values = [part(one) for one in together]
    return {"median": round(median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


def summary(variants: list[Variant], items: int) -> dict:
    """Medians of the variants of one tower, and what the forward's time is of theirs, in the same round."""
    rounds = {variant.name.split()[1]: variant.rounds for variant in variants}
    result: dict[str, dict] = {}
    for variant, found in rounds.items():
        seconds = median(one[SECONDS] for one in found)
        result[variant] = {
            "items_a_second": round(items / seconds),
            SECONDS: round(seconds, 3),
            PROCESSOR: round(median(one[PROCESSOR] for one in found), 3),
            "forward_share": share(rounds, lambda one, name=variant: one["forward"][SECONDS] / one[name][SECONDS]),
            "forward_processor_share": share(
                rounds, lambda one, name=variant: one["forward"][PROCESSOR] / one[name][PROCESSOR]
            ),
            "peak_mb": max(one["peak_mb"] for one in found),
        }
    both = share(rounds, lambda one: one["forward"][SECONDS] / (one["embed"][SECONDS] + one["index"][SECONDS]))
    return {"variants": result, "embed_and_index": {"forward_share": both}}


def table(tower: str, items: int, result: dict) -> Table:
    """One tower for people."""
    columns, layers = TOWERS[tower]
    title = f"{items:,} items, the {tower} tower: {len(columns)} columns, MLP {'-'.join(map(str, layers))}"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    for heading in ("", "items/s", "processor s", "forward's time", "its processor time", "MB"):
        shown.add_column(heading, justify="right" if heading else "left")
    for variant, row in result["variants"].items():
        shares = (row["forward_share"]["median"], row["forward_processor_share"]["median"])
        cells = [f"{row['items_a_second']:,}", f"{row[PROCESSOR]:.2f}", *(f"{value:.0%}" for value in shares)]
        shown.add_row(NAMES[variant], *cells, f"{row['peak_mb']:,}")
    return shown


def verdicts(tower: str, result: dict) -> list[dict]:
    """Whether what is wanted is met."""
    embed, both = result["variants"]["embed"], result["embed_and_index"]
    found = {
        "the forward's share of embed_items": (embed["forward_share"]["median"], ">=", SHARE),
        "the forward's share of embed_items and index": (both["forward_share"]["median"], ">=", SHARE),
        "MB of embed_items": (embed["peak_mb"], "<=", MOST_MB),
    }
    return [
        {
            "tower": tower,
            "what": what,
            "found": value,
            "wanted": f"{sign} {bound}",
            "met": value >= bound if sign == ">=" else value <= bound,
        }
        for what, (value, sign, bound) in found.items()
    ]


def measured(chosen: argparse.Namespace, console: Console) -> dict[str, dict]:
    """Tower -> summary."""
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # the memory of it is not ours
            pool.submit(write_items, folder / "items.parquet", chosen.items).result()
        for tower in chosen.towers:
            commands = {f"{tower} {variant}": (sys.executable, "embed_items_worker.py") for variant in VARIANTS}
            settings = {"rounds": chosen.rounds, "batch": BATCH, "path": str(folder)}
            results[tower] = summary(measure(commands, settings, folder, console), chosen.items)
            shutil.rmtree(folder / tower)
            console.print(table(tower, chosen.items, results[tower]))
    return results


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--towers", nargs="+", choices=list(TOWERS), default=list(TOWERS))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "embed_items.json")
    chosen = parser.parse_args()
    if min(chosen.items, chosen.rounds) < 1:
        parser.error("items and rounds must be at least 1")
    return chosen


def main() -> None:
    """Measure, print the tables, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    results = measured(chosen, console)
    judged = [one for tower, result in results.items() for one in verdicts(tower, result)]
    for one in judged:
        met = "met" if one["met"] else "NOT met"
        console.print(f"{one['tower']}: {one['what']}: {one['found']}, wanted {one['wanted']}: {met}", soft_wrap=True)
    settings = {"items": chosen.items, "batch": BATCH, "rounds": chosen.rounds}
    write_report(chosen.out, "embed_items", load_before, settings, judged=judged, towers=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
