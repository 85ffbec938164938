"""Where data lie, and what is written of a run."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.append(str(BENCHMARKS))

from harness import write_report  # noqa: E402 (found in the folder above)

__all__ = ["cells_of", "data_folder", "earlier_report", "write_report"]


def data_folder(name: str, console: Console) -> Path:
    """The data of this name, in `$TFDUAL_DATA`, or in `../shared/data` beside the repository; else the script ends."""
    folder = Path(os.environ.get("TFDUAL_DATA", BENCHMARKS.parents[1] / "shared" / "data")) / name
    if not folder.exists():
        console.print(f"There is no {folder}. Set TFDUAL_DATA to the folder that holds {name}/.")
        raise SystemExit(1)
    return folder


def earlier_report(path: Path | None, settings: dict[str, Any]) -> dict[str, Any]:
    """What the file holds, to add to it; empty if there is none. Made with other settings, it ends the script."""
    if path is None or not path.exists():
        return {}
    found = json.loads(path.read_text())
    if found["settings"] != settings:
        raise SystemExit(f"{path} holds runs of {found['settings']}. These would be of {settings}: name another file.")
    return found


def cells_of(run: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    """A run's mean, difference and its interval for each metric; an asterisk where the interval excludes zero."""
    cells = []
    for metric in metrics:
        low, high = run[metric]["interval"]
        sure = "*" if low > 0 or high < 0 else ""
        mean, difference = run[metric]["mean"], run[metric]["difference"]
        cells += [f"{mean:.4f}", f"{difference:+.4f}{sure}", f"{low:+.4f} to {high:+.4f}"]
    return cells
