"""Draws `poly_encoder.png`: python docs/images/draw_poly_encoder.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, MUTED = "#1f2933", "#66727f"
QUERY, ITEM, SHARED, SERVED = "#d7e8fb", "#fde3c8", "#eceff3", "#d8f0dc"
TURNS = ("do you have tea?", "yes, green or black", "green, please")
CODES = (0.15, 0.65, 0.05, 0.15)  # what the item attends to


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(11.2, 5.4))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 11.2), ylim=(0, 5.4))
    axis.axis("off")
    dialogue(axis)
    codes(axis)
    item(axis)
    attention(axis)
    figure.savefig(Path(__file__).with_name("poly_encoder.png"), dpi=120)


def dialogue(axis: Axes) -> None:
    """The turns, and the states of their tokens."""
    box(axis, (0.25, 2.95), (2.2, 2.1), SHARED)
    axis.text(1.35, 4.8, "history", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    for place, turn in enumerate(TURNS):
        axis.text(0.42, 4.4 - 0.4 * place, f"“{turn}”", va="center", color=MUTED, fontsize=9)
    axis.text(0.42, 3.2, "[CLS] turn [SEP] turn [SEP] …", va="center", color=MUTED, fontsize=8)
    box(axis, (2.95, 2.95), (1.6, 2.1), QUERY)
    axis.text(3.75, 4.8, "encoder", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(3.75, 4.4, "a state a token", ha="center", va="center", color=MUTED, fontsize=9)
    for place in range(9):
        vector(axis, 3.12 + 0.145 * place, 3.2, "#ffffff", height=0.9)
    arrow(axis, (2.45, 4.0), (2.95, 4.0))
    arrow(axis, (4.55, 4.0), (5.05, 4.0))


def codes(axis: Axes) -> None:
    """A few vectors of the query, whatever its length."""
    box(axis, (5.05, 2.95), (2.0, 2.1), QUERY)
    axis.text(6.05, 4.8, "m codes", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(6.05, 4.4, "learned, first or last", ha="center", va="center", color=MUTED, fontsize=9)
    for place in range(len(CODES)):
        vector(axis, 5.4 + 0.38 * place, 3.2, "#8fbdf0", height=0.9, width=0.2)


def item(axis: Axes) -> None:
    """One vector, made once."""
    box(axis, (0.25, 0.35), (2.2, 1.5), SHARED)
    axis.text(1.35, 1.58, "item", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(1.35, 1.15, "“One pot of sencha!”", ha="center", va="center", color=MUTED, fontsize=9)
    axis.text(1.35, 0.7, "text, or columns", ha="center", va="center", color=MUTED, fontsize=8)
    box(axis, (2.95, 0.35), (1.6, 1.5), ITEM)
    axis.text(3.75, 1.58, "encoder", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(3.75, 1.0, "one vector", ha="center", va="center", color=MUTED, fontsize=9)
    box(axis, (5.05, 0.35), (2.0, 1.5), SERVED)
    axis.text(6.05, 1.58, "cached", ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(6.05, 1.22, "in the index", ha="center", va="center", color=MUTED, fontsize=9)
    vector(axis, 5.95, 0.5, "#f3b26b", height=0.5, width=0.2)
    arrow(axis, (2.45, 1.1), (2.95, 1.1))
    arrow(axis, (4.55, 1.1), (5.05, 1.1))


def attention(axis: Axes) -> None:
    """The item looks at the codes, and the score is what it sees times itself."""
    box(axis, (7.85, 1.1), (3.1, 3.2), SHARED)
    axis.text(
        9.4,
        4.02,
        "the item attends over the codes",
        ha="center",
        va="center",
        color=INK,
        fontsize=11,
        fontweight="bold",
    )
    for place, share in enumerate(CODES):
        left = 8.25 + 0.66 * place
        vector(axis, left, 2.5, "#8fbdf0", height=1.05 * share / max(CODES), width=0.3)
        axis.text(left + 0.15, 2.33, f"{share:.2f}", ha="center", va="center", color=MUTED, fontsize=8.5)
    axis.text(9.4, 1.95, "w = softmax(codes · item)", ha="center", va="center", color=MUTED, fontsize=10)
    axis.text(9.4, 1.5, "score = Σ w (code · item)", ha="center", va="center", color=INK, fontsize=11)
    arrow(axis, (7.05, 4.0), (7.85, 3.3))
    arrow(axis, (7.05, 1.1), (7.85, 1.8))


def box(axis: Axes, corner: tuple[float, float], size: tuple[float, float], color: str) -> None:
    """A rounded box."""
    axis.add_patch(FancyBboxPatch(corner, *size, "round,pad=0,rounding_size=0.1", fc=color, ec="none"))


def vector(axis: Axes, x: float, y: float, color: str, height: float, width: float = 0.09) -> None:
    """A standing bar."""
    axis.add_patch(FancyBboxPatch((x, y), width, height, "round,pad=0,rounding_size=0.03", fc=color, ec=MUTED, lw=0.6))


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from point to point."""
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "color": MUTED, "lw": 1.4, "shrinkA": 2, "shrinkB": 2}
    axis.add_patch(FancyArrowPatch(start, end, **style))


if __name__ == "__main__":
    main()
