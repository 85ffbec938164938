"""Draws `bi_encoder.png`: python docs/images/draw_bi_encoder.py."""

from pathlib import Path

from draw_poly_encoder import INK, ITEM, MUTED, QUERY, SERVED, SHARED, arrow, box, vector
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ABOVE, BELOW = 3.0, 0.5  # the lower edges of the two sides
HEIGHTS = (0.6, 0.75, 0.5, 0.85, 0.8, 0.55)  # of the states of six tokens


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(11.2, 5.2))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 11.2), ylim=(0, 5.2))
    axis.axis("off")
    side(axis, ABOVE, "question", "“how to brew tea”", QUERY, "#8fbdf0")
    side(axis, BELOW, "title", "“A pot of tea”", ITEM, "#f3b26b")
    axis.text(3.85, 2.58, "one encoder for both, or one for each", ha="center", va="center", color=INK, fontsize=10)
    box(axis, (7.35, BELOW), (1.35, 1.7), SERVED)
    heading(axis, 8.02, BELOW, "cached", "in the index")
    vector(axis, 7.93, BELOW + 0.15, "#f3b26b", height=0.55, width=0.18)
    arrow(axis, (6.85, BELOW + 0.85), (7.35, BELOW + 0.85))
    box(axis, (9.35, 1.75), (1.6, 1.7), SHARED)
    heading(axis, 10.15, 1.75, "score", "of all items at once")
    axis.text(10.15, 2.2, "query · item", ha="center", va="center", color=INK, fontsize=11)
    arrow(axis, (6.85, ABOVE + 0.85), (9.35, 3.0))
    arrow(axis, (8.7, BELOW + 0.85), (9.35, 2.2))
    figure.savefig(Path(__file__).with_name("bi_encoder.png"), dpi=120)


def side(axis: Axes, bottom: float, column: str, text: str, color: str, strong: str) -> None:
    """A column's text, the states of its tokens, and their pooled vector."""
    box(axis, (0.25, bottom), (1.9, 1.7), SHARED)
    heading(axis, 1.2, bottom, column, text)
    box(axis, (2.65, bottom), (2.4, 1.7), color)
    heading(axis, 3.85, bottom, "encoder", "a state a token")
    for place, height in enumerate(HEIGHTS):
        vector(axis, 2.96 + 0.33 * place, bottom + 0.15, "#ffffff", height=0.65 * height, width=0.14)
    box(axis, (5.55, bottom), (1.3, 1.7), color)
    heading(axis, 6.2, bottom, "pooled", "mean, cls, max")
    vector(axis, 6.11, bottom + 0.15, strong, height=0.55, width=0.18)
    arrow(axis, (2.15, bottom + 0.85), (2.65, bottom + 0.85))
    arrow(axis, (5.05, bottom + 0.85), (5.55, bottom + 0.85))


def heading(axis: Axes, middle: float, bottom: float, name: str, more: str) -> None:
    """What a box is called, and a line below."""
    axis.text(middle, bottom + 1.42, name, ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(middle, bottom + 1.03, more, ha="center", va="center", color=MUTED, fontsize=8.5)


if __name__ == "__main__":
    main()
