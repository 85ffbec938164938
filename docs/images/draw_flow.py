"""Draws `flow.png`: python docs/images/draw_flow.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, MUTED = "#1f2933", "#66727f"
QUERY, ITEM, SHARED, TRAINING, SERVED = "#d7e8fb", "#fde3c8", "#eceff3", "#e6ddf7", "#d8f0dc"
BOXES = {
    "rows": (0.2, 3.0, 1.9, SHARED, "rows", "Parquet, Arrow\n+ schema with tags"),
    "prep": (2.8, 3.0, 2.1, SHARED, "preprocessing", "vocabularies, scaling,\ntext; one pass"),
    "query": (5.6, 4.35, 2.3, QUERY, "query tower", "columns → vectors\n→ fusion → embedding"),
    "item": (5.6, 1.65, 2.3, ITEM, "item tower", "columns → vectors\n→ fusion → embedding"),
    "loss": (8.6, 3.0, 2.3, TRAINING, "in-batch softmax", "sampling corrected,\naccidental hits masked"),
    "evaluate": (8.6, 4.75, 2.3, TRAINING, "evaluate", "whole corpus,\nseen items excluded"),
    "index": (8.6, 1.25, 2.3, ITEM, "index", "ScaNN or brute force,\nevery item embedded"),
}
HEIGHT = 1.05


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(12, 5.8))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 11.2), ylim=(-1.35, 6.1))
    axis.axis("off")
    for x, y, width, color, title, text in BOXES.values():
        box(axis, x, y, width, HEIGHT, color, title, text)
    for start, end in (("rows", "prep"), ("prep", "query"), ("prep", "item"), ("query", "loss"), ("item", "loss")):
        arrow(axis, right(start), left(end))
    arrow(axis, right("query"), left("evaluate"))
    arrow(axis, right("item"), left("index"))
    served(axis)
    figure.savefig(Path(__file__).with_name("flow.png"), dpi=130)


def served(axis: Axes) -> None:
    """The artefact: three of the parts above, saved as they are."""
    axis.add_patch(FancyBboxPatch((2.6, -1.15), 6.85, 1.6, "round,pad=0,rounding_size=0.12", fc=SERVED, ec="none"))
    axis.text(2.8, 0.17, "one SavedModel", color=INK, fontsize=11.5, fontweight="bold", va="center")
    axis.text(4.75, 0.17, "the same parts, so that training and serving agree", color=MUTED, fontsize=9, va="center")
    for name, x, color in (("preprocessing", 2.8, SHARED), ("query tower", 5.08, QUERY), ("index", 7.36, ITEM)):
        box(axis, x, -0.98, 1.88, 0.85, color, name, "")
    outside(axis, 1.15, "raw query", "strings and numbers")
    outside(axis, 10.4, "best items", "ids and scores")
    for start, end in ((1.95, 2.6), (4.68, 5.08), (6.96, 7.36), (9.45, 9.85)):
        arrow(axis, (start, -0.55), (end, -0.55))


def outside(axis: Axes, x: float, title: str, text: str) -> None:
    """What goes into the artefact, or comes out."""
    axis.text(x, -0.42, title, ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(x, -0.76, text, ha="center", va="center", color=MUTED, fontsize=9)


def box(axis: Axes, x: float, y: float, width: float, height: float, color: str, title: str, text: str) -> None:
    """A rounded box with a title and up to two lines below it."""
    axis.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=0.1", fc=color, ec="none"))
    middle, center = x + width / 2, {"ha": "center", "va": "center"}
    above = y + (0.8 if text else height / 2)
    axis.text(middle, above, title, color=INK, fontsize=11.5, fontweight="bold", **center)
    axis.text(middle, y + 0.37, text, color=MUTED, fontsize=9, linespacing=1.25, **center)


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from point to point."""
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "color": MUTED, "lw": 1.4, "shrinkA": 2, "shrinkB": 2}
    axis.add_patch(FancyArrowPatch(start, end, **style))


def left(name: str) -> tuple[float, float]:
    """Where an arrow comes in."""
    x, y, *_ = BOXES[name]
    return x, y + HEIGHT / 2


def right(name: str) -> tuple[float, float]:
    """Where an arrow leaves."""
    x, y, width, *_ = BOXES[name]
    return x + width, y + HEIGHT / 2


if __name__ == "__main__":
    main()
