"""Draws `hybrid.png`: python docs/images/draw_hybrid.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from tfdual.ranking import reciprocal_rank_fusion

INK, MUTED, LINE = "#1f2933", "#66727f", "#b9c2cc"
DENSE, WORDS, BOTH, SHARED = "#d7e8fb", "#fde3c8", "#d8f0dc", "#eceff3"
BY_VECTOR = ["connection refused", "E1043", "too many users", "time out"]
BY_WORD = ["E1043", "E1043 on replicas", "connection refused"]
HEIGHT, WIDTH = 0.46, 2.3


def main() -> None:
    """Draw the picture beside this file; the fused list is what the function gives."""
    fused = reciprocal_rank_fusion([[BY_VECTOR], [BY_WORD]])
    figure = Figure(figsize=(12, 4.6))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 12), ylim=(0, 4.6))
    axis.axis("off")
    box(axis, 0.25, 1.95, 1.85, 0.75, SHARED, "what is E1043?", "a raw query")
    box(axis, 2.7, 3.1, 1.75, 0.95, DENSE, "Retriever", "query tower, index")
    box(axis, 2.7, 0.55, 1.75, 0.95, WORDS, "BM25", "words of the texts")
    box(axis, 7.6, 1.85, 1.35, 0.95, BOTH, "fusion", "ranks or scores")
    ranked(axis, 4.95, 4.35, DENSE, BY_VECTOR, [f"{rank}." for rank in range(1, 5)])
    ranked(axis, 4.95, 1.75, WORDS, BY_WORD, [f"{rank}." for rank in range(1, 4)])
    scores = [f"{score:.4f}" for score in fused.scores[0]]
    ranked(axis, 9.5, 3.63, BOTH, fused.ids[0].tolist(), scores)
    for start, end in (
        ((2.1, 2.45), (2.7, 3.45)),
        ((2.1, 2.2), (2.7, 1.15)),
        ((4.45, 3.55), (4.95, 3.55)),
        ((4.45, 1.05), (4.95, 1.05)),
        ((4.95 + WIDTH, 3.2), (7.6, 2.55)),
        ((4.95 + WIDTH, 1.3), (7.6, 2.1)),
        ((8.95, 2.33), (9.5, 2.33)),
    ):
        arrow(axis, start, end)
    figure.savefig(Path(__file__).with_name("hybrid.png"), dpi=110)


def ranked(axis: Axes, x: float, top: float, color: str, items: list[str], marks: list[str]) -> None:
    """A list, best first, with a mark before each item."""
    for place, (item, mark) in enumerate(zip(items, marks, strict=True)):
        y = top - (place + 1) * (HEIGHT + 0.06)
        axis.add_patch(FancyBboxPatch((x, y), WIDTH, HEIGHT, "round,pad=0,rounding_size=0.06", fc=color, ec="none"))
        axis.text(x + 0.1, y + HEIGHT / 2, mark, va="center", color=MUTED, fontsize=9)
        axis.text(x + 0.1 + 0.1 * len(mark), y + HEIGHT / 2, item, va="center", color=INK, fontsize=10)


def box(axis: Axes, x: float, y: float, width: float, height: float, color: str, title: str, text: str) -> None:
    """A rounded box with a title and a line below it."""
    axis.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=0.1", fc=color, ec="none"))
    middle, center = x + width / 2, {"ha": "center", "va": "center"}
    axis.text(middle, y + 0.64 * height, title, color=INK, fontsize=11.5, fontweight="bold", **center)
    axis.text(middle, y + 0.28 * height, text, color=MUTED, fontsize=9, **center)


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from point to point."""
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "color": MUTED, "lw": 1.4, "shrinkA": 2, "shrinkB": 2}
    axis.add_patch(FancyArrowPatch(start, end, **style))


if __name__ == "__main__":
    main()
