"""What is kept, over the width."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tfdual._optional import require

SIZE = (7, 4.5)


def draw_kept(points: Mapping[str, Sequence[tuple[int, float]]], label: str, title: str, path: str | Path) -> None:
    """A line a method, the first bold.

    Args:
        points: what the legend says -> pairs of a width and what is kept there.
        label: str. Of the vertical axis.
        title: str.
        path: the PNG to write.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = require("matplotlib.figure", extra="demo").Figure(figsize=SIZE, layout="constrained")
    axis = figure.subplots()
    widths = sorted({width for line in points.values() for width, _ in line})
    for place, (name, line) in enumerate(points.items()):
        style = {"linewidth": 1.5, "linestyle": "--"} if place else {"linewidth": 3, "linestyle": "-"}
        axis.plot(*zip(*line, strict=True), marker="o", label=name, zorder=3 - place / 99, **style)
    axis.set(xlabel="width", ylabel=label, xscale="log")
    axis.set_xticks(widths, [str(width) for width in widths])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path, dpi=110, format="png")
