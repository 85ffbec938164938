"""Draws `cross-encoder.png`: python docs/images/draw_cross_encoder.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, MUTED = "#1f2933", "#66727f"
QUERY, ITEM, SHARED, FEATURES = "#d7e8fb", "#fde3c8", "#eceff3", "#e6ddf7"
TOKENS = [
    ("[CLS]", QUERY),
    ("how", QUERY),
    ("to", QUERY),
    ("brew", QUERY),
    ("tea", QUERY),
    ("[SEP]", QUERY),
    ("a", ITEM),
    ("pot", ITEM),
    ("of", ITEM),
    ("tea", ITEM),
    ("[SEP]", ITEM),
    ("price, ...", FEATURES),
]
STEP, SIDE = 0.86, 0.74
LEFT, BOTTOM = 0.35, 0.95


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(11, 4.1))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 11), ylim=(0.1, 4.2))
    axis.axis("off")
    right = LEFT + STEP * len(TOKENS)
    for place, (name, color) in enumerate(TOKENS):
        x = LEFT + STEP * place
        box(axis, x, BOTTOM, SIDE, 0.5, color, name)
        arrow(axis, (x + SIDE / 2, BOTTOM + 0.53), (x + SIDE / 2, BOTTOM + 0.97))
    under(axis, 0, 6, "query: first segment")
    under(axis, 6, 11, "item: second segment")
    under(axis, 11, 12, "features\nas a token")
    box(
        axis,
        LEFT,
        BOTTOM + 1.0,
        right - LEFT - (STEP - SIDE),
        0.75,
        SHARED,
        "each token sees every other, in all layers",
    )
    first = LEFT + SIDE / 2
    arrow(axis, (first, BOTTOM + 1.78), (first, BOTTOM + 2.25))
    box(axis, LEFT, BOTTOM + 2.28, 1.5, 0.5, QUERY, "first state")
    box(axis, LEFT + 1.62, BOTTOM + 2.28, 1.7, 0.5, FEATURES, "features")
    axis.text(LEFT + 2.47, BOTTOM + 2.95, 'or here, join="state"', ha="center", color=MUTED, fontsize=9)
    arrow(axis, (LEFT + 3.38, BOTTOM + 2.53), (LEFT + 3.95, BOTTOM + 2.53))
    box(axis, LEFT + 4.0, BOTTOM + 2.28, 2.1, 0.5, SHARED, "tanh(W state + b)")
    arrow(axis, (LEFT + 6.15, BOTTOM + 2.53), (LEFT + 6.7, BOTTOM + 2.53))
    box(axis, LEFT + 6.75, BOTTOM + 2.28, 1.3, 0.5, SHARED, "score")
    arrow(axis, (LEFT + 8.1, BOTTOM + 2.53), (LEFT + 8.5, BOTTOM + 2.53))
    axis.text(LEFT + 8.6, BOTTOM + 2.53, "the first stage's 100,\nin a new order", va="center", color=INK, fontsize=10)
    figure.savefig(Path(__file__).with_name("cross-encoder.png"), dpi=130)


def under(axis: Axes, first: int, last: int, text: str) -> None:
    """A line under some tokens, and what they are."""
    start, end = LEFT + STEP * first, LEFT + STEP * (last - 1) + SIDE
    axis.plot([start, end], [BOTTOM - 0.12, BOTTOM - 0.12], color=MUTED, linewidth=1)
    axis.text((start + end) / 2, BOTTOM - 0.24, text, ha="center", va="top", color=MUTED, fontsize=10)


def box(axis: Axes, x: float, y: float, width: float, height: float, color: str, title: str) -> None:
    """A rounded box with a title."""
    axis.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=0.08", fc=color, ec="none"))
    axis.text(x + width / 2, y + height / 2, title, ha="center", va="center", color=INK, fontsize=10.5)


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one point to another."""
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=MUTED, linewidth=1.1))


if __name__ == "__main__":
    main()
