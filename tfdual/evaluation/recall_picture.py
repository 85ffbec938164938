"""Recall over k."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfdual._optional import require

EXTRA = "demo"
SIZE = (7, 4.5)


def picture_class() -> Any:
    """matplotlib's `Figure`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    return require("matplotlib.figure", extra=EXTRA).Figure


def draw_recall(reports: Mapping[str, Any], path: str | Path) -> None:
    """A line a report, with the interval as a band.

    Args:
        reports: what the legend says -> EvaluationReport. The first is drawn bold.
        path: the picture to write, such as `recall.png`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = picture_class()(figsize=SIZE, layout="constrained")
    axis = figure.subplots()
    ticks: set[int] = set()
    for i, (name, report) in enumerate(reports.items()):
        ticks |= set(report.ks)
        names = [f"recall@{k}" for k in report.ks]
        label = f"{name} ({report['queries']:,} queries)".replace("$", r"\$")  # no formula
        (line,) = axis.plot(
            report.ks, [report[n] for n in names], marker="o", label=label, linewidth=1.5 if i else 3, zorder=3 - i / 99
        )
        if bounds := [report.intervals[n] for n in names if n in report.intervals]:
            low, high = zip(*bounds, strict=True)
            axis.fill_between(report.ks, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axis.set(xlabel="k", ylabel="recall@k", xscale="log", ylim=(0, None))
    axis.set_xticks(sorted(ticks), [str(k) for k in sorted(ticks)])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.suptitle("Recall over the whole corpus; bands are 95 % intervals")
    figure.savefig(path, dpi=110, format="png")
