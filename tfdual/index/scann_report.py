"""What the tuning of ScaNN found, as a table and as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tfdual._optional import require
from tfdual.index.scann_tuning import TuningPoint

EXTRA = "demo"
WIDTH = 100
SIZE = (7, 4.5)


def curve_table(curve: Sequence[TuningPoint], chosen: tuple[int, int], title: str) -> str:
    """A row a setting; the chosen one is marked.

    Args:
        curve: sequence of TuningPoint.
        chosen: leaves to search and reorder.
        title: str.
    """
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in ("leaves to search", "reorder", "recall@10", "queries/s", ""):
        table.add_column(name, justify="right")
    for point in curve:
        taken = (point.leaves_to_search, point.reorder) == chosen
        cells = f"{point.leaves_to_search:,}", f"{point.reorder:,}", f"{point.recall:.4f}"
        speed = f"{point.queries_per_second:,.0f}"
        table.add_row(*cells, speed, "chosen" if taken else "")
    console = Console(file=io.StringIO(), width=WIDTH)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def draw_curve(curve: Sequence[TuningPoint], chosen: tuple[int, int], target: float, path: str | Path) -> None:
    """Queries a second over recall, to the right and upwards the better.

    Args:
        curve: sequence of TuningPoint.
        chosen: leaves to search and reorder.
        target: float. The wanted recall.
        path: the picture to write, such as `curve.png`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = require("matplotlib.figure", extra=EXTRA).Figure(figsize=SIZE, layout="constrained")
    axis = figure.subplots()
    recalls, speeds = [point.recall for point in curve], [point.queries_per_second for point in curve]
    axis.plot(recalls, speeds, marker="o", label="leaves to search")
    for point in curve:
        axis.annotate(str(point.leaves_to_search), (point.recall, point.queries_per_second), fontsize="small")
        if (point.leaves_to_search, point.reorder) == chosen:
            axis.plot(point.recall, point.queries_per_second, marker="*", markersize=16, label="chosen")
    axis.axvline(target, linestyle="--", color="gray", label="wanted recall")
    axis.set(xlabel="recall@10 on tuning queries", ylabel="queries/s", yscale="log")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.savefig(path, dpi=110, format="png")
