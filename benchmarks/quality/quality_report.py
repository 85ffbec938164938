"""Where data lie, and what is written of a run."""

import os
import sys
from pathlib import Path

from rich.console import Console

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.append(str(BENCHMARKS))

from harness import write_report  # noqa: E402 (found in the folder above)

__all__ = ["data_folder", "write_report"]


def data_folder(name: str, console: Console) -> Path:
    """The data of this name, in `$TFDUAL_DATA`, or in `../shared/data` beside the repository; else the script ends."""
    folder = Path(os.environ.get("TFDUAL_DATA", BENCHMARKS.parents[1] / "shared" / "data")) / name
    if not folder.exists():
        console.print(f"There is no {folder}. Set TFDUAL_DATA to the folder that holds {name}/.")
        raise SystemExit(1)
    return folder
