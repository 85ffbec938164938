"""Recall over queries a second, as a picture."""

import importlib.util
from pathlib import Path

from index_curves import SPEED, frontier

SIZE = (9, 6)


def draw(results: dict[str, dict], title: str, path: Path) -> bool:
    """Write the picture; False where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")
    axis = figure.subplots()
    for name, result in results.items():
        points = frontier([(point["recall"], point[SPEED]) for point in result["points"]])
        marker = "." if len(points) > 1 else "*" if "tfdual" in name else "x"
        axis.plot(*zip(*points, strict=True), marker=marker, markersize=9, linewidth=1, label=name)
    axis.set(title=title, xlabel="recall@10", ylabel="queries/s, batches of 256", yscale="log", xlim=(0.6, 1.005))
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, format="png")
    return True
