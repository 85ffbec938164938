"""Draws `graph.png`: python docs/images/draw_graph.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

INK, MUTED = "#1f2933", "#66727f"
QUERY, ITEM, SHARED, TRAINING, SERVED = "#d7e8fb", "#fde3c8", "#eceff3", "#e6ddf7", "#d8f0dc"
EDGES = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3)]


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(12, 4.2))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 12), ylim=(0.3, 4.4))
    axis.axis("off")
    graph(axis, 0.7)
    box(axis, (3.0, 2.55), "initial vectors", "a table's row,\nor columns → block", SHARED)
    box(axis, (5.3, 2.55), "layers", "node, and sum, mean or\nmaximum of neighbours", TRAINING)
    box(axis, (7.6, 2.55), "loss", "rows of all nodes' vectors:\nqueries, items, negatives", TRAINING)
    box(axis, (5.3, 0.55), "freeze", "all nodes once,\nin a table", SERVED)
    box(axis, (7.6, 0.55), "lookup", "a known node's row; else of\ncolumns and neighbours", SERVED)
    box(axis, (9.9, 0.55), "index", "evaluated, exported,\nserved", SERVED)
    for start, end in (((2.5, 3.1), (3.0, 3.1)), ((5.0, 3.1), (5.3, 3.1)), ((7.3, 3.1), (7.6, 3.1))):
        arrow(axis, start, end)
    for start, end in (((6.3, 2.55), (6.3, 1.65)), ((7.3, 1.1), (7.6, 1.1)), ((9.6, 1.1), (9.9, 1.1))):
        arrow(axis, start, end)
    axis.text(7.6, 4.05, "each step, forth and back", color=MUTED, fontsize=10, ha="center")
    axis.text(3.95, 1.1, "when weights changed", color=MUTED, fontsize=10, ha="center", va="center")
    figure.savefig(Path(__file__).with_name("graph.png"), dpi=110)


def graph(axis: Axes, left: float) -> None:
    """Three users, four items, and who had what."""
    users = [(left, 3.7 - 1.0 * place) for place in range(3)]
    items = [(left + 1.3, 4.0 - 0.85 * place) for place in range(4)]
    for user, item in EDGES:
        axis.plot(*zip(users[user], items[item], strict=True), color=MUTED, lw=1.4, zorder=1)
    for color, nodes in ((QUERY, users), (ITEM, items)):
        for node in nodes:
            axis.add_patch(Circle(node, 0.19, fc=color, ec=INK, lw=0.8, zorder=2))
    axis.text(left, 0.75, "users", color=INK, fontsize=11, ha="center")
    axis.text(left + 1.3, 0.75, "items", color=INK, fontsize=11, ha="center")


def box(axis: Axes, corner: tuple[float, float], title: str, text: str, color: str) -> None:
    """A part."""
    axis.add_patch(FancyBboxPatch(corner, 2.0, 1.1, "round,pad=0,rounding_size=0.1", fc=color, ec="none"))
    axis.text(corner[0] + 1.0, corner[1] + 0.82, title, color=INK, fontsize=11.5, fontweight="bold", ha="center")
    axis.text(corner[0] + 1.0, corner[1] + 0.35, text, color=MUTED, fontsize=8.6, ha="center", va="center")


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one part to the next."""
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color=INK, lw=1.3))


if __name__ == "__main__":
    main()
