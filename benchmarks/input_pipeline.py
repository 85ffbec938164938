"""Rows a second from Parquet to batches, how long training waits for them, and the memory of 1M and of 20M rows.

Each variant has a process of its own. After a warm-up that is not counted, they take turns, one pass each.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import synthetic
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

WORKER = "input_pipeline_worker.py"
VARIANTS = (
    "tfdual, as stored",
    "tfdual, shuffled",
    "tfdual, shuffled, integer vocabularies",
    "tfdual, shuffled, string vocabularies",
    "tf.data, make_csv_dataset",
    "tf.data, from_generator over pandas",
)
MEMORY = "tfdual, shuffled, integer vocabularies"


def write_rows(folder: Path, rows: int, slow_rows: int) -> dict[str, str]:
    """The same rows as Parquet of integers and of strings, and the first of them as CSV."""
    paths = {name: str(folder / file) for name, file in _FILES.items()}
    synthetic.write(Path(paths["path"]), rows)
    table = pq.read_table(paths["path"])
    csv.write_csv(table.slice(0, slow_rows), paths["csv_path"])
    for name in synthetic.SIZES:
        text = pc.binary_join_element_wise(name[:4], table.column(name).cast(pa.string()), "-")
        table = table.set_column(table.column_names.index(name), name, text)
    pq.write_table(table, paths["string_path"], row_group_size=131_072)
    return paths


_FILES = {"path": "rows.parquet", "string_path": "strings.parquet", "csv_path": "rows.csv"}


def write_many(path: Path, million: int) -> None:
    """A file of `million` million rows, written a million at a time."""
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.parquet"
        writer = None
        for seed in range(million):
            synthetic.write(part, 1_000_000, seed)
            table = pq.read_table(part)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table, row_group_size=131_072)
        writer.close()


def memory(sizes: list[int], settings: dict, folder: Path, console: Console) -> dict[str, dict]:
    """Memory of one process for each file size (in millions of rows), over a fitted pass and a shuffled epoch."""
    results = {}
    for million in sizes:
        path = folder / f"{million}m.parquet"
        with console.status(f"Writing {million}M rows ..."):
            write_many(path, million)
        told = settings | {"path": str(path), "rounds": 1}
        (variant,) = measure({MEMORY: (sys.executable, WORKER)}, told, folder, console)
        path.unlink()
        last = variant.rounds[-1]
        results[f"{million}M"] = {
            "rows": round(last["rows"]),
            "resident_mb": round(last["resident_mb"]),
            "peak_mb": last["peak_mb"],
            "rows_per_second": round(last["rows"] / last["seconds"]),
        }
    return results


def waiting(settings: dict, folder: Path, console: Console) -> dict[str, float]:
    """Of a training step of the two-tower, the share that is spent waiting for the batch."""
    (variant,) = measure({"training": (sys.executable, "input_wait_worker.py")}, settings, folder, console)
    shares = [report["waited"] / report["seconds"] for report in variant.rounds]
    return {
        "share_of_step": {"median": round(median(shares), 4), "max": round(max(shares), 4)},
        "examples_per_second": round(median(report["rows"] / report["seconds"] for report in variant.rounds)),
    }


def summary(variants: list[Variant]) -> dict[str, dict]:
    """Rows a second of each variant."""
    results = {}
    for variant in variants:
        speed = [report["rows"] / report["seconds"] for report in variant.rounds]
        results[variant.name] = {
            "rows": round(variant.rounds[-1]["rows"]),
            "rows_per_second": {"median": round(median(speed)), "min": round(min(speed)), "max": round(max(speed))},
            "peak_mb": variant.rounds[-1]["peak_mb"],
            "versions": variant.versions,
        }
    return results


def table(title: str, results: dict[str, dict], speed: bool) -> Table:
    """The results for people."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    shown.add_column("", overflow="fold")
    for heading in ("rows", "rows/s", "least", "most", "peak MB") if speed else ("rows", "rows/s", "MB", "peak MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        rate = result["rows_per_second"]
        cells = [rate["median"], rate["min"], rate["max"]] if speed else [rate, result["resident_mb"]]
        shown.add_row(name, *(f"{cell:,}" for cell in (result["rows"], *cells, result["peak_mb"])))
    return shown


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--slow-rows", type=int, default=50_000, help="rows of the variants that are slow")
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="training steps a round, for the wait")
    parser.add_argument("--memory", type=int, nargs="*", default=[1, 20], help="file sizes, in millions of rows")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "input_pipeline.json")
    chosen = parser.parse_args()
    if min(chosen.rows, chosen.slow_rows, chosen.batch, chosen.rounds) < 1:
        parser.error("rows, slow-rows, batch and rounds must be at least 1")
    return chosen


def main() -> None:
    """Measure, print the tables, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    told = ("rows", "slow_rows", "batch", "rounds", "steps")
    settings = {name: getattr(chosen, name) for name in told}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with console.status("Writing the rows ..."):
            settings |= write_rows(folder, chosen.rows, chosen.slow_rows)
        variants = measure(dict.fromkeys(chosen.only, (sys.executable, WORKER)), settings, folder, console)
        speeds = summary(variants)
        console.print(table(f"Batches of {chosen.batch:,}, 8 columns", speeds, speed=True))
        wait = waiting(settings, folder, console)
        share = wait["share_of_step"]
        console.print(f"Training waits for its rows {share['median']:.1%} of a step (at most {share['max']:.1%}).\n")
        sizes = memory(chosen.memory, settings, folder, console)
    if sizes:
        console.print(table(f"Memory: {MEMORY}", sizes, speed=False))
    write_report(chosen.out, "input_pipeline", load_before, settings, results=speeds, waiting=wait, memory=sizes)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
