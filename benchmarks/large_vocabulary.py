"""Time and memory of a vocabulary of ten million values: learned, saved, loaded, exported, served.

Each step has a process of its own, whose peak memory is told; about 0.7 GiB of it is TensorFlow's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table

KINDS = ("string", "int64")
STEPS = ("adapt", "export", "serve")


def write_rows(path: Path, kind: str, count: int) -> None:
    """Every value twice, in random order, a million rows at a time."""
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(count), 2))
    writer = None
    for start in range(0, len(order), 1_000_000):
        values = pa.array(order[start : start + 1_000_000])
        if kind == "string":
            digits = pc.utf8_lpad(values.cast(pa.string()), 8, "0")
            values = pc.binary_join_element_wise("user", digits, "_")
        table = pa.table({"item_id": values})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=131_072)
    writer.close()


def measure(kind: str, count: int, console: Console) -> dict[str, dict]:
    """Seconds and peak memory of each step."""
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with console.status(f"{kind}: writing rows ..."):
            write_rows(folder / "rows.parquet", kind, count)
        for step in STEPS:
            command = [sys.executable, str(HERE / "large_vocabulary_worker.py"), step, kind, str(count), str(folder)]
            with console.status(f"{kind}: {step} ..."):
                done = subprocess.run(
                    command, capture_output=True, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
                )
            if done.returncode:
                raise RuntimeError(f"{kind} {step} failed:\n{done.stderr[-2000:]}")
            results[step] = json.loads(done.stdout.splitlines()[-1])
    return results


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "large_vocabulary.json")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    results = {kind: measure(kind, chosen.values, console) for kind in KINDS}
    shown = Table(title=f"{chosen.values:,} values in twice as many rows", title_justify="left", box=box.SIMPLE)
    for heading in ("", "step", "seconds", "peak GiB"):
        shown.add_column(heading, justify="left" if heading in ("", "step") else "right")
    for kind, steps in results.items():
        for step, found in steps.items():
            shown.add_row(kind, step, f"{found['seconds']}", f"{found['peak_gib']}")
    console.print(shown)
    write_report(chosen.out, "large_vocabulary", load_before, {"values": chosen.values}, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
